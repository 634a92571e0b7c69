// SPDX-License-Identifier: Apache-2.0

package verify

// HasID reports whether the key has, under any scheme, the id that records name
// keys by.
func (k Key) HasID(id string) bool {
	for _, f := range k.forms {
		if f != nil && f.id == id {
			return true
		}
	}
	return false
}
