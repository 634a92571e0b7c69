// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/dlq/internal/output"
)

// TestARequestIsKnownByItsCorrelationID in its answer, whatever it is, and in every
// line about it, of a change until its end.
func TestARequestIsKnownByItsCorrelationID(t *testing.T) {
	var lines bytes.Buffer
	f := &fake{err: errors.New("away"), plan: &Plan{Outcome: output.Outcome{Planned: 1}, Run: func(context.Context, func(int)) (int, error) { return 1, nil }}}
	h, url := api(t, f, func(h *handler) { h.log = slog.New(slog.NewJSONHandler(&lines, nil)); h.runner.log = h.log })
	ask := func(token, id, method, path, body string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("X-Request-Id", id)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var answer struct{ CorrelationID string }
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		known := res.Header.Get("X-Correlation-Id")
		if res.StatusCode >= http.StatusBadRequest && answer.CorrelationID != known {
			t.Errorf("%s %s: the problem has %q, the header %q", method, path, answer.CorrelationID, known)
		}
		return known
	}
	for id, c := range map[string][4]string{
		"away":      {"read", "GET", "/v1/stats", ""},
		"forbidden": {"read", "POST", "/v1/undos", "{}"},
		"nothing":   {"read", "GET", "/v1/nothing", ""},
		"method":    {"read", "DELETE", "/v1/stats", ""},
	} {
		if got := ask(c[0], id, c[1], c[2], c[3]); got != id {
			t.Errorf("%s is answered with %q", id, got)
		}
	}
	f.err = nil
	if got := ask("replay", "two words", "POST", "/v1/replays", `{"all": true}`); got == "" || got == "two words" {
		t.Errorf("%q is no id", got)
	}
	if got := ask("replay", "change", "POST", "/v1/replays", `{"ids": ["sink:t/0/1"]}`); got != "change" {
		t.Errorf("the change is answered with %q", got)
	}
	h.runner.wg.Wait()
	said := map[string]int{}
	for line := range bytes.Lines(lines.Bytes()) {
		var l struct {
			ID string `json:"correlation_id"`
		}
		if err := json.Unmarshal(line, &l); err != nil || l.ID == "" {
			t.Errorf("%s: %v", line, err)
		}
		said[l.ID]++
	}
	if said["away"] != 1 || said["forbidden"] != 1 || said["change"] != 2 {
		t.Errorf("lines of %v", said)
	}
}
