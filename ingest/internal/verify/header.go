// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"iter"
	"strings"

	"github.com/hookstream/hookstream/schemas/provider"
)

// items yields what a header part finds in a header's value: the items after
// the split that have the prefix, without it. Empty ones are skipped.
func items(part *provider.Location, value string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for rest, more := value, true; more; {
			item := rest
			// Without a separator the whole value is one item.
			if more = part.Separator != ""; more {
				item, rest, more = strings.Cut(rest, part.Separator)
			}
			item, ok := strings.CutPrefix(strings.TrimSpace(item), part.Prefix)
			if ok && item != "" && !yield(item) {
				return
			}
		}
	}
}

// firstItem is the first of items, or "".
func firstItem(part *provider.Location, value string) string {
	for item := range items(part, value) {
		return item
	}
	return ""
}
