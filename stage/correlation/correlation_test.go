// SPDX-License-Identifier: Apache-2.0

package correlation_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/hookstream/hookstream/stage/correlation"
)

func TestID(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		want   string // "" is a new one
	}{
		"its own":          {http.Header{"X-Correlation-Id": {"a"}, "X-Request-Id": {"b"}}, "a"},
		"a proxy's":        {http.Header{"X-Request-Id": {"0-9_A.z"}}, "0-9_A.z"},
		"the longest":      {http.Header{"X-Correlation-Id": {strings.Repeat("x", 128)}}, strings.Repeat("x", 128)},
		"none":             {http.Header{}, ""},
		"too long":         {http.Header{"X-Correlation-Id": {strings.Repeat("x", 129)}}, ""},
		"a line break":     {http.Header{"X-Correlation-Id": {"a\nb"}}, ""},
		"no ASCII":         {http.Header{"X-Correlation-Id": {"ä"}}, ""},
		"the second is it": {http.Header{"X-Correlation-Id": {"<script>"}, "X-Request-Id": {"b"}}, "b"},
	} {
		got := correlation.ID(c.header)
		if c.want != "" && got != c.want {
			t.Errorf("%s: %q", name, got)
		}
		if c.want == "" {
			if id, err := uuid.Parse(got); err != nil || id.Version() != 7 {
				t.Errorf("%s: %q is no UUID version 7: %v", name, got, err)
			}
		}
	}
}
