// SPDX-License-Identifier: Apache-2.0

package service

// Exit codes of all programs, beside 0 for a clean end.
const (
	ExitFailed = 1
	ExitUsage  = 2
	// ExitPartial is a part that was not done, or is not known, and was named.
	ExitPartial = 3
)

// Exit ends a command, with this code, that has said itself what there is to say.
type Exit int

// Error says nothing more.
func (Exit) Error() string { return "" }

// ExitCode implements kong.ExitCoder.
func (e Exit) ExitCode() int { return int(e) }
