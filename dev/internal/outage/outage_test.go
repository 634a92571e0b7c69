// SPDX-License-Identifier: Apache-2.0

package outage

import (
	"log/slog"
	"testing"
	"time"

	"github.com/hookstream/hookstream/dev/internal/stacktest"
	"github.com/hookstream/hookstream/stage/kafkatest"
)

// TestDatabaseAway is the outage of go run ./dev outage, cut short.
func TestDatabaseAway(t *testing.T) {
	o := Options{
		Seed: 1, Rate: 50, Before: time.Second, Outage: 3 * time.Second,
		Dir: stacktest.PublicDir(t), Log: slog.New(slog.DiscardHandler), Progress: func(text string) { t.Log(text) },
	}
	if b := kafkatest.Shared(t); b != nil {
		o.Brokers, o.Prefix = b.Addresses, b.Prefix
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.0f events a second before, %.0f after; %d behind, first row after %.1f s, caught up in %.1f s",
		r.NormalRate, r.CatchUpRate, r.Behind, r.FirstRowSeconds, r.CatchUpSeconds)
	if !r.Report.OK() || r.DeadLetters != 0 || r.Accepted != r.Sent {
		t.Errorf("after the outage: %+v", r.Report)
	}
	if least := int(o.Outage.Seconds() * r.NormalRate / 2); r.Behind < least {
		t.Errorf("%d events waited, want at least %d: was the database away?", r.Behind, least)
	}
}
