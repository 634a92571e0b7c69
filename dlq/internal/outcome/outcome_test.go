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
	d.Headers.Add(header.ReceivedAt, "2026-03-01T08:00:01.000000Z")
	d.Headers.Add(header.CorrelationID, "c-"+eventID)
	return &letters.Letter{DeadLetter: d, ID: d.ID()}
}

func position(offset int64) record.Position { return record.Position{Topic: "t", Offset: offset} }

// ledger says where events came from.
type ledger map[string]Source

// Sources looks the events up.
func (l ledger) Sources(_ context.Context, events []Event) ([]*Source, error) {
	sources := make([]*Source, len(events))
	for i, e := range events {
		if e.OccurredAt.IsZero() {
			return nil, errors.New("the event's own time was lost")
		}
		for id, source := range l {
			if e.Fingerprint == identity.Of("", "", id) {
				sources[i] = &source
			}
		}
	}
	return sources, nil
}

// judged is what becomes of letters that were all replayed as "r".
func judged(t *testing.T, index *Index, from Ledger, sent ...*letters.Letter) []Outcome {
	t.Helper()
	resolution := &record.Resolution{Action: record.Replayed, ReplayID: "r", At: replayedAt}
	var replayed []Replayed
	for _, l := range sent {
		replayed = append(replayed, Replayed{l, resolution})
	}
	got, err := index.Judge(t.Context(), from, replayed)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func newIndex() *Index { return NewIndex(map[string]time.Time{"r": replayedAt}) }

func TestJudge(t *testing.T) {
	index := newIndex()
	again := letter(record.StageTransform, 100, "again")
	again.Headers.Add(header.ReplayID, "r")
	for _, h := range [][2]string{{header.OriginTopic, "t"}, {header.OriginPartition, "0"}, {header.OriginOffset, "1"}} {
		again.Headers.Add(h[0], h[1])
	}
	index.Add(again)
	inSink := letter(record.StageSink, 101, "sink")
	index.Add(inSink)

	sent := []*letters.Letter{
		letter(record.StageTransform, 1, "again"), letter(record.StageTransform, 2, "sink"), letter(record.StageTransform, 3, "new"),
		letter(record.StageTransform, 4, "old"), letter(record.StageSink, 5, "open"), letter(record.StageSink, 6, "event"), letter(record.StageSink, 7, "other"),
	}
	full := ledger{
		"new": {Raw: position(3), Event: position(30)}, "old": {Raw: position(40), Event: position(4)},
		"event": {Raw: position(60), Event: position(6)}, "other": {Raw: position(7), Event: position(70)},
	}
	for name, c := range map[string]struct {
		ledger Ledger
		want   []Outcome
	}{
		"with a ledger": {full, []Outcome{
			{State: FailedAgain, Again: again.ID}, {State: FailedAgain, Again: inSink.ID}, {State: Succeeded}, {State: Duplicate}, {State: Pending}, {State: Succeeded}, {State: Duplicate},
		}},
		"without": {nil, []Outcome{
			{State: FailedAgain, Again: again.ID}, {State: FailedAgain, Again: inSink.ID}, {State: Unknown}, {State: Unknown}, {State: Unknown}, {State: Unknown}, {State: Unknown},
		}},
	} {
		for i, o := range judged(t, index, c.ledger, sent...) {
			if o != c.want[i] {
				t.Errorf("%s: %s is %+v, want %+v", name, sent[i].ID, o, c.want[i])
			}
			if o.Settled() != (o.State != Pending && o.State != Unknown) {
				t.Errorf("%+v settled: %v", o, o.Settled())
			}
		}
	}
}

// TestOfTwoDeliveriesOneSucceeds whether or not both were replayed at once.
func TestOfTwoDeliveriesOneSucceeds(t *testing.T) {
	from := ledger{"e": {Raw: position(1), Event: position(9)}}
	got := judged(t, newIndex(), from, letter(record.StageTransform, 1, "e"), letter(record.StageTransform, 2, "e"))
	if got[0].State != Succeeded || got[1].State != Duplicate {
		t.Errorf("got %+v", got)
	}
}

// TestAReplayedRecordKeepsItsPlace: what failed again and was replayed again is
// the record that was first written.
func TestAReplayedRecordKeepsItsPlace(t *testing.T) {
	l := letter(record.StageTransform, 50, "e")
	for _, h := range [][2]string{{header.OriginTopic, "t"}, {header.OriginPartition, "0"}, {header.OriginOffset, "1"}} {
		l.Headers.Add(h[0], h[1])
	}
	if got := judged(t, newIndex(), ledger{"e": {Raw: position(1)}}, l); got[0].State != Succeeded {
		t.Errorf("got %+v", got)
	}
}

// TestWhatTheSinkGaveUpIsToldByItsDelivery and not by clocks, which may be behind
// the operator's.
func TestWhatTheSinkGaveUpIsToldByItsDelivery(t *testing.T) {
	index := newIndex()
	came := letter(record.StageSink, 101, "e")
	came.LastFailedAt = replayedAt.Add(-5 * time.Second) // by a clock that is behind
	index.Add(came)
	other := letter(record.StageTransform, 2, "e")
	other.Headers.Set(header.ReceivedAt, "2026-03-01T08:00:02.000000Z")

	got := judged(t, index, nil, letter(record.StageTransform, 1, "e"), other)
	if want := (Outcome{State: FailedAgain, Again: came.ID}); got[0] != want || got[1].State != Unknown {
		t.Errorf("got %+v", got)
	}
}
