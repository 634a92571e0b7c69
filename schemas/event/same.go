// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/json"
)

// SameSchema reports whether two schema texts are the same apart from white
// space: registries reformat what they store.
func SameSchema(a, b string) bool {
	var x, y bytes.Buffer
	if json.Compact(&x, []byte(a)) != nil || json.Compact(&y, []byte(b)) != nil {
		return a == b
	}
	return bytes.Equal(x.Bytes(), y.Bytes())
}
