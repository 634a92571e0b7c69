// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// TestHeld lists what transform holds, and not what it released.
func TestHeld(t *testing.T) {
	p := newPipeline(t)
	p.dlq("held").want(t, exitOK, "nothing is held")
	var all []*record.Held
	for n, why := range []reason.Code{mapping, mapping, ""} {
		h := &record.Held{Raw: p.raw(delivery(fmt.Sprint("evt_", n), n)), Since: day.Add(time.Duration(n) * time.Minute), Reason: why, Message: "field amount: gives a string"}
		if why == "" {
			h.Message = "waits for earlier records of its key"
		}
		p.put(h.Record(p.cfg.Topics.Held))
		all = append(all, h)
	}
	p.put(record.Release(all[0].Record(p.cfg.Topics.Held)))

	p.dlq("held").want(t, exitOK, "charge.failed", "mapping_failed", "behind others of its key", record.PositionOf(all[1].Raw).String())
	p.dlq("held", "--limit", "1").want(t, exitOK, "1 more")
	var got []output.Held
	if err := json.Unmarshal([]byte(p.dlq("held", "--provider", "stripe", "-o", "json").out), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].EventID != "evt_1" || got[0].Reason != mapping || got[1].Reason != "" || !got[1].Since.Equal(all[2].Since) {
		t.Errorf("got %+v", got)
	}
	if out := p.dlq("held", "--provider", "github", "-o", "json").out; out != "[]\n" {
		t.Errorf("of a provider of which nothing is held: %q", out)
	}
}
