// SPDX-License-Identifier: Apache-2.0

//go:build unix

package limit

import "syscall"

// OpenFiles is how many files and connections the process may have open; 0 is
// not known. Go has raised it to the hard limit.
func OpenFiles() uint64 {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 0
	}
	return uint64(files.Cur) //nolint:unconvert // FreeBSD has an int64
}
