// SPDX-License-Identifier: Apache-2.0

package outcome

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/record"
)

var replayedAt = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func letter(stage record.Stage, offset int64, eventID string) *letters.Letter {
	d := &record.DeadLetter{Stage: stage, Failed: record.Position{Topic: "t", Offset: offset}, LastFailedAt: replayedAt.Add(-time.Hour)}
	d.Headers.Add(header.ID, eventID)
	d.Headers.Add(header.Time, "2026-03-01T08:00:00.000000Z")
	return &letters.Letter{DeadLetter: d, ID: d.ID()}
}

// ledger says when events were applied.
type ledger map[string]time.Time

// Applied looks the events up.
func (l ledger) Applied(_ context.Context, events []Event) (map[identity.Fingerprint]time.Time, error) {
	applied := map[identity.Fingerprint]time.Time{}
	for id, at := range l {
		for _, e := range events {
			if e.OccurredAt.IsZero() {
				return nil, errors.New("the event's own time was lost")
			}
			if e.Fingerprint == identity.Of("", "", id) {
				applied[e.Fingerprint] = at
			}
		}
	}
	return applied, nil
}

func TestJudge(t *testing.T) {
	resolution := &record.Resolution{Action: record.Replayed, ReplayID: "r", At: replayedAt}
	index := NewIndex(map[string]time.Time{"r": replayedAt})

	again := letter(record.StageTransform, 100, "again")
	again.Headers.Add(header.ReplayID, "r")
	for _, h := range [][2]string{{header.OriginTopic, "t"}, {header.OriginPartition, "0"}, {header.OriginOffset, "1"}} {
		again.Headers.Add(h[0], h[1])
	}
	index.Add(again)
	inSink := letter(record.StageSink, 101, "sink")
	inSink.LastFailedAt = replayedAt.Add(time.Second)
	index.Add(inSink)
	before := letter(record.StageSink, 102, "new") // failed before the replay
	index.Add(before)

	sent := []*letters.Letter{
		letter(record.StageTransform, 1, "again"), letter(record.StageTransform, 2, "sink"), letter(record.StageTransform, 3, "new"),
		letter(record.StageTransform, 4, "old"), letter(record.StageSink, 5, "open"),
	}
	var replayed []Replayed
	for _, l := range sent {
		replayed = append(replayed, Replayed{l, resolution})
	}
	for name, c := range map[string]struct {
		ledger Ledger
		want   []Outcome
	}{
		"with a ledger": {ledger{"new": replayedAt.Add(time.Second), "old": replayedAt.Add(-time.Second)}, []Outcome{
			{FailedAgain, again.ID}, {FailedAgain, inSink.ID}, {Succeeded, ""}, {Duplicate, ""}, {Pending, ""},
		}},
		"without": {nil, []Outcome{
			{FailedAgain, again.ID}, {FailedAgain, inSink.ID}, {Unknown, ""}, {Unknown, ""}, {Unknown, ""},
		}},
	} {
		got, err := index.Judge(t.Context(), c.ledger, replayed)
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range got {
			if o != c.want[i] {
				t.Errorf("%s: %s is %+v, want %+v", name, sent[i].ID, o, c.want[i])
			}
			if o.Settled() != (o.State != Pending && o.State != Unknown) {
				t.Errorf("%+v settled: %v", o, o.Settled())
			}
		}
	}
}
