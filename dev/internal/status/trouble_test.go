// SPDX-License-Identifier: Apache-2.0

package status

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// answering is a service whose /readyz says that.
func answering(t *testing.T, name, body string) Service {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
	t.Cleanup(s.Close)
	return Service{name, s.URL}
}

func TestTrouble(t *testing.T) {
	const fine = `{"ready":true,"parts":{"topics":{"ready":true}}}`
	gone := answering(t, "dlq", "")
	for name, c := range map[string]struct {
		services []Service
		want     Trouble
	}{
		"none": {[]Service{answering(t, "ingest", fine), answering(t, "sink", fine)}, Trouble{}},
		"the database, not what follows from it": {
			[]Service{answering(t, "sink", `{"parts":{"consumer":{"ready":false,"reason":"read the claims"},"database":{"ready":false,"reason":"refused"}}}`)},
			Trouble{What: "sink: waiting for Postgres 0s, 7 records"},
		},
		"a breaker": {
			[]Service{answering(t, "ingest", fine), answering(t, "transform", `{"parts":{"transform":{"ready":false,"reason":"2 partitions wait: most events of\u001b[2J stripe x"}}}`)},
			Trouble{"transform: holding 0s, 340 records", `most events of\u001b[2J stripe x`},
		},
		"another reason": {[]Service{answering(t, "transform", `{"parts":{"transform":{"ready":false,"reason":"restoring 3 partitions"}}}`)}, Trouble{"transform: waiting 0s, 340 records", "restoring 3 partitions"}},
		"no answer":      {[]Service{gone, answering(t, "sink", fine)}, Trouble{What: "dlq: does not answer 0s"}},
		"what is wrong while it works, after what waits": {
			[]Service{answering(t, "transform", `{"parts":{"definitions":{"ready":true,"reason":"acme.yaml line 3"}}}`), answering(t, "sink", `{"parts":{"database":{"ready":false}}}`)},
			Trouble{What: "sink: waiting for Postgres 0s, 7 records"},
		},
		"what is wrong while it works": {[]Service{answering(t, "transform", `{"parts":{"definitions":{"ready":true,"reason":"acme.yaml line 3"}}}`)}, Trouble{"transform", "acme.yaml line 3"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := &Observer{Source: Source{Services: c.services}, waits: waits{}}
			if got := o.trouble(t.Context(), Lag{Transform: 340, Sink: 7}); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestAWaitIsMeasuredFromItsBegin whatever its error says meanwhile, and anew after
// its end.
func TestAWaitIsMeasuredFromItsBegin(t *testing.T) {
	w := waits{}
	w.since("sink waiting for Postgres")
	begin := w["sink waiting for Postgres"]
	w.since("sink waiting for Postgres")
	w.since("transform waiting")
	if w["sink waiting for Postgres"] != begin {
		t.Error("the wait began anew")
	}
	w.forget("sink")
	if len(w) != 1 {
		t.Errorf("left are %v", w)
	}
}
