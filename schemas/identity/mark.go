// SPDX-License-Identifier: Apache-2.0

package identity

// Mark tells, for two deliveries of one identity, whether they carried the
// same data: 24 bits of a digest of the mapped data, and the low 8 bits of the
// definition revision that mapped it. Marks are compared only under the same
// revision, because a corrected mapping changes the data by intent
// (docs/adr/0003).
type Mark [4]byte

// NewMark is the mark of data mapped under revision.
func NewMark(digest [32]byte, revision int32) Mark {
	return Mark{digest[0], digest[1], digest[2], byte(revision)} //nolint:gosec // the low bits are what is meant
}

// Conflicts reports whether two deliveries of one identity differ in data.
func (m Mark) Conflicts(o Mark) bool {
	return m[3] == o[3] && m != o
}
