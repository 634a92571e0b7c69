// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ready is what /readyz says.
func (w *apiWorld) ready() (int, string) {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "http://"+w.svc.AdminAddress()+"/readyz", nil)
	if err != nil {
		w.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// readyWhen waits until /readyz says so.
func (w *apiWorld) readyWhen(what string, says func(code int, body string) bool) {
	w.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		code, body := w.ready()
		if says(code, body) {
			return
		}
		if time.Now().After(deadline) {
			w.Fatalf("not ready %s: %d %s", what, code, body)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestForeignResolutions: what somebody else wrote on the resolutions topic decides on
// nothing but the dead letter whose ID it has, and on that nothing is done.
func TestForeignResolutions(t *testing.T) {
	w := newAPI(t)
	ids := w.many(3)
	foreign := func(key []byte, value string) {
		w.produce(&kgo.Record{Topic: w.cfg.Topics.Resolutions, Key: key, Value: []byte(value)})
	}
	foreign([]byte("somebody"), "not JSON")
	foreign([]byte{}, `{"dead_letter_id": ""}`) // Kafka takes no null key on a compacted topic
	w.dlq("list").want(t, exitOK, ids[0], ids[1], ids[2])
	w.readyWhen("without a word", func(code int, body string) bool {
		return code == 200 && !strings.Contains(body, "Only dlq writes")
	})

	foreign([]byte(ids[1]), "not JSON")
	r := w.dlq("list").want(t, exitOK, ids[0], ids[2], "1 dead letters are left alone", "a record with the key "+ids[1]+" and a null value", "dlq.resolutions/")
	if strings.Contains(r.out, ids[1]) {
		t.Errorf("it is open:\n%s", r.out)
	}
	w.dlq("list", "--status", "unreadable").want(t, exitOK, ids[1])
	w.dlq("show", ids[1]).want(t, exitOK, "unreadable", "would be refused")
	w.readyWhen("with a word", func(code int, body string) bool {
		return code == 200 && strings.Contains(body, "1 dead letters are left alone") && strings.Contains(body, ids[1])
	})
	want[object](t, w.call("read", "GET", "/v1/dead-letters", nil), 200)
	for _, args := range [][]string{{"replay", ids[1]}, {"discard", ids[1], "--why", "x"}, {"undo", ids[1]}, {"edit", ids[1], "--file", "-"}} {
		w.dlq(append(args, "--yes")...).want(t, exitPartial, "resolution is unreadable")
	}
	w.dlq("replay", "--all", "--yes").want(t, exitPartial, "1 refused", "2 of 2 replayed")
	if got := w.eventIDs(w.cfg.Topics.Raw); len(got) != 2 || got["evt_1"] != 0 {
		t.Errorf("sent %v", got)
	}
	w.dlq("history").want(t, exitOK, "2 replayed")

	// What is written later under its key heals it.
	w.produce(&kgo.Record{Topic: w.cfg.Topics.Resolutions, Key: []byte(ids[1])})
	w.readyWhen("healed", func(code int, body string) bool { return code == 200 && !strings.Contains(body, "left alone") })
	w.dlq("replay", "--all", "--yes").want(t, exitOK, "1 of 1 replayed")
	w.eachOnceOf(3)
}

// eachOnceOf checks that the webhooks 0 to n-1 were sent once each.
func (w *world) eachOnceOf(n int) {
	w.Helper()
	got := w.eventIDs(w.cfg.Topics.Raw)
	for i := range n {
		if id := fmt.Sprintf("evt_%d", i); got[id] != 1 {
			w.Errorf("%s was sent %d times", id, got[id])
		}
	}
}
