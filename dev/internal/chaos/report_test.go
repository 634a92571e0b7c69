// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"testing"

	"github.com/hookstream/hookstream/dev/internal/check"
	"github.com/hookstream/hookstream/dev/internal/journeys"
)

// TestARunMustFollowJourneysOfEveryKind: one that followed none has no gap either.
func TestARunMustFollowJourneysOfEveryKind(t *testing.T) {
	followed := journeys.Kind{Name: "applied", Known: 900, Traced: journeysOfAKind}
	for name, c := range map[string]struct {
		kinds []journeys.Kind
		ok    bool
	}{
		"followed":    {[]journeys.Kind{followed}, true},
		"no kind":     {nil, false},
		"one without": {[]journeys.Kind{followed, {Name: "stale"}}, false},
		"with a gap":  {[]journeys.Kind{{Name: "stale", Known: 1, Traced: 1, Gaps: []string{"no row"}}}, false},
	} {
		r := &Report{Report: &check.Report{}, Journeys: c.kinds}
		if r.OK() != c.ok {
			t.Errorf("%s: %v", name, r.OK())
		}
	}
}
