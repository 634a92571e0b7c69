// SPDX-License-Identifier: Apache-2.0

package journey

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/header"
)

// maxSimilar bounds what is proposed instead of an id that nothing has.
const maxSimilar = 5

// similar are the first few event ids, in the order of the alphabet, that begin
// with the id that was asked for. Some providers' ids are composed, as GitHub's
// of the delivery and the hook, and people have one part of them.
type similar []string

func (s *similar) add(m *matcher, r *kgo.Record) {
	if !m.wants(ByEvent) {
		return
	}
	for i := range r.Headers {
		h := &r.Headers[i]
		if h.Key != header.ID || len(h.Value) <= len(m.ID) || string(h.Value[:len(m.ID)]) != m.ID || !m.narrow(r, true) {
			continue
		}
		id := string(h.Value)
		at, found := slices.BinarySearch(*s, id)
		if found || at == maxSimilar {
			return
		}
		*s = slices.Insert(*s, at, id)
		*s = (*s)[:min(len(*s), maxSimilar)]
	}
}

// list is never nil, for JSON.
func (s *similar) list() []string { return append([]string{}, *s...) }
