// SPDX-License-Identifier: Apache-2.0

package journeys

import (
	"slices"
	"testing"
)

// TestMissing: a kind may have fewer journeys than are wanted only where the run had
// no more, and never none.
func TestMissing(t *testing.T) {
	enough := Kind{Name: "applied", Known: 900, Traced: 20}
	for name, c := range map[string]struct {
		kinds []Kind
		want  []string
	}{
		"enough":           {[]Kind{enough}, nil},
		"the run had less": {[]Kind{enough, {Name: "stale", Known: 3, Traced: 3}}, nil},
		"there was none":   {[]Kind{enough, {Name: "stale"}}, []string{"stale: the run had none"}},
		"some were not":    {[]Kind{{Name: "stale", Known: 30, Traced: 19}}, []string{"stale: 19 of 30 were followed, want 20"}},
		"all but one":      {[]Kind{{Name: "stale", Known: 3, Traced: 2}}, []string{"stale: 2 of 3 were followed, want 3"}},
		"no kind":          {nil, []string{"no journey was followed"}},
	} {
		if got := Missing(c.kinds, 20); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
