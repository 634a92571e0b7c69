// SPDX-License-Identifier: Apache-2.0

package status

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/hookstream/hookstream/schemas/golden"
	"github.com/hookstream/hookstream/sink/internal/attempts"
)

// TestNamesAreAContract: scripts read what sink status -o json prints.
func TestNamesAreAContract(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	offset, owner := int64(1002), "sink@10.0.0.8"
	retry := attempts.Retry{Topic: "events.payment.v1", Partition: 3, Attempts: 6, Since: at, NextAttempt: at.Add(time.Second), Reason: "lock timeout"}
	report := Report{
		At: at, Group: "hookstream-sink", Problems: []string{"instance 10.0.0.9:8083: connection refused"},
		Partitions: []Partition{
			{
				Topic: "events.payment.v1", Partition: 3, DatabaseOffset: known(&offset), KafkaOffset: known(&offset), EndOffset: known(int64(1010)),
				Lag: known(int64(8)), OldestUnapplied: known(&at), Epoch: known(&offset), AppliedAt: known(&at), Owner: known(&owner), Retry: known(&retry),
			},
			// Of a group that nobody is in, and of a database and a Kafka that do not answer.
			{Topic: "events.payment.v1", Partition: 4, Owner: known[*string](nil), Retry: known[*attempts.Retry](nil)},
		},
		Instances: []Instance{
			{Address: "10.0.0.8:8083", State: known(attempts.State{Member: "sink-5b1e", Retrying: []attempts.Retry{retry}, LastError: &attempts.Failure{At: at, Reason: "lock timeout"}})},
			{Address: "10.0.0.9:8083", Error: "connection refused"},
		},
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, filepath.Join("testdata", "report.json"), append(text, '\n'))
	var read Report
	if err := json.Unmarshal(text, &read); err != nil {
		t.Error(err)
	}
}
