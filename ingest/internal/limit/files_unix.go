// SPDX-License-Identifier: Apache-2.0

//go:build unix

package limit

import (
	"math"
	"syscall"
)

// OpenFiles is how many files and connections the process may have open, as far
// as that is known and limited. Go has raised it to the hard limit.
func OpenFiles() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(files.Cur)
}
