// SPDX-License-Identifier: Apache-2.0

package letters

import (
	"testing"
	"time"

	"github.com/hookstream/hookstream/schemas/alloctest"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// mostAllocations of a dead letter that is read and grouped, as stats does with
// all of them.
const mostAllocations = 20

// TestAllocations guards what stats takes of a hundred thousand dead letters
// where wall time cannot.
func TestAllocations(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	d := &record.DeadLetter{
		Stage: record.StageTransform, Failed: record.Position{Topic: "hookstream.raw", Partition: 1, Offset: 77},
		Class: "permanent", Reason: reason.MappingFailed, Exception: "*mapping.Error", Attempts: 1,
		Message:       `stripe revision 1: charge.failed: field amount: ".amount": gives a string, want an integer`,
		FirstFailedAt: at, LastFailedAt: at, ServiceVersion: "v1", Key: []byte("default/stripe/pi_1"), Value: []byte("{}"),
	}
	d.Headers.Add(header.Tenant, "default")
	d.Headers.Add(header.Provider, "stripe")
	d.Headers.Add(header.Type, "charge.failed")
	r := d.Record("hookstream.dlq")
	got := alloctest.Fewest(func() {
		l, err := Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		if l.Digest == (Digest{}) || l.Fingerprint() == "" {
			t.Fatal("no id or no fingerprint")
		}
	})
	if got > mostAllocations {
		t.Errorf("a dead letter takes %v allocations, at most %d are allowed", got, mostAllocations)
	}
}
