// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package limit

// OpenFiles is not known here.
func OpenFiles() uint64 { return 0 }
