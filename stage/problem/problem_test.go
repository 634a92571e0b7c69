// SPDX-License-Identifier: Apache-2.0

package problem_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hookstream/hookstream/stage/problem"
)

var (
	gone   = problem.Type{Page: "https://docs.example/api.md", Slug: "gone", Title: "It is gone", Status: http.StatusGone}
	busy   = problem.Type{Slug: "busy", Status: http.StatusServiceUnavailable}
	away   = problem.Type{Slug: "away", Status: http.StatusServiceUnavailable}
	closed = problem.Type{Slug: "closed", Status: http.StatusConflict}
)

func TestWrite(t *testing.T) {
	for want, p := range map[string]problem.Problem{
		`{"type":"https://docs.example/api.md#gone","title":"It is gone","status":410,"detail":"look elsewhere","instance":"/a%20b"}`: {
			Type: gone, Detail: "look elsewhere", Instance: "/a%20b",
		},
		`{"type":"https://docs.example/api.md#gone","title":"It is gone","status":410,"detail":"","instance":"/","correlationId":"c","traceId":"t"}`: {
			Type: gone, Instance: "/", CorrelationID: "c", TraceID: "t",
		},
		`{"type":"https://docs.example/api.md#gone","title":"It is gone","status":410,"detail":"","instance":"/","eventId":"e","tenant":"a"}`: {
			Type: gone, Instance: "/", EventID: "e", Tenant: "a",
		},
	} {
		rec := httptest.NewRecorder()
		if err := p.Write(rec); err != nil || rec.Code != http.StatusGone || rec.Header().Get("Content-Type") != problem.ContentType || rec.Body.String() != want {
			t.Errorf("answered %d %v %s, error %v; want %s", rec.Code, rec.Header(), rec.Body, err, want)
		}
	}
}

func TestByStatus(t *testing.T) {
	got := problem.ByStatus([]problem.Type{busy, gone, away, closed})
	if len(got) != 3 || got[0].Problems[0] != closed || got[1].Text != "Gone" || len(got[2].Problems) != 2 || got[2].Problems[1] != away {
		t.Errorf("got %+v", got)
	}
}
