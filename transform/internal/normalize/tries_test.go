// SPDX-License-Identifier: Apache-2.0

package normalize

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/deadletter"
	"github.com/hookstream/hookstream/stage/failure"
)

// TestADeadLetterSaysHowOftenItsRecordWasTried: as the loop says.
func TestADeadLetterSaysHowOftenItsRecordWasTried(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	p := processor(t, now)
	p.cfg.DeadLetters = &deadletter.Writer{Stage: record.StageTransform, Topic: "dlq", Now: func() time.Time { return now }}
	ctx := failure.WithTries(t.Context(), failure.Tries{Count: 3, Since: now.Add(-time.Minute)})
	out, err := p.Process(ctx, []*kgo.Record{{Topic: "raw", Value: []byte("no webhook")}})
	if err != nil || len(out.Records) != 1 {
		t.Fatalf("%d records, %v", len(out.Records), err)
	}
	d, err := record.ParseDeadLetter(out.Records[0])
	if err != nil || d.Attempts != 3 || !d.FirstFailedAt.Equal(now.Add(-time.Minute)) || !d.LastFailedAt.Equal(now) {
		t.Errorf("got %+v, %v", d, err)
	}
}
