// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/schemas/provider"
)

// FuzzLocation reads anything in any format. What is found must have been sent,
// behind the prefix, and is never empty, nor more than the bound.
func FuzzLocation(f *testing.F) {
	f.Add("t=1,v1=ab, v1=cd", ",", "v1=")
	f.Add("v1,ab v1a,cd", " ", "v1,")
	f.Add(strings.Repeat("a,", 1000), ",", "")
	f.Add(" \x00,=,", ",", "=")
	f.Fuzz(func(t *testing.T, text, separator, prefix string) {
		spec := &provider.Location{Header: "X-Signature", Separator: separator, Prefix: prefix}
		l := newLocation(spec)
		r := &http.Request{Header: http.Header{"X-Signature": {text, text}}, URL: &url.URL{}}
		req := request.New(r, nil, request.NewFields(&provider.Definition{}), "")
		n := 0
		for item := range l.items(req) {
			n++
			if item == "" || !strings.Contains(text, prefix+item) {
				t.Fatalf("found %q in %q", item, text)
			}
			if separator != "" && strings.Contains(item, separator) {
				t.Fatalf("%q is not split at %q", item, separator)
			}
		}
		if n > maxItems {
			t.Fatalf("found %d items", n)
		}
		if first := l.first(req); (first == "") != (n == 0) {
			t.Fatalf("first is %q of %d items", first, n)
		}
	})
}
