// SPDX-License-Identifier: Apache-2.0

package journeys

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
)

// again is how often it is asked whether the sink is past a record.
const again = 100 * time.Millisecond

// PublishAgain copies up to n events of a topic, as transform does of a webhook that
// comes again after the window of the deduplication, and waits until the sink is past
// them. Nothing else makes repeats in the ledger.
func (x *Installation) PublishAgain(ctx context.Context, topic string, n int) error {
	var copies []*kgo.Record
	err := x.Kafka.ReadToEnd(ctx, "hookstream-journeys", x.Log, kafka.Partitions{topic: nil}, func(r *kgo.Record) error {
		if len(copies) < n {
			copies = append(copies, &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("copy events of %s: %w", topic, err)
	}
	client, err := x.Kafka.NewClient("hookstream-journeys", x.Log)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.ProduceSync(ctx, copies...).FirstErr(); err != nil {
		return fmt.Errorf("publish events of %s again: %w", topic, err)
	}
	for _, r := range copies {
		if err := x.applied(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// applied waits until the sink is past a record.
func (x *Installation) applied(ctx context.Context, r *kgo.Record) error {
	for {
		past, err := x.query(ctx, "select topic from hookstream.consumer_offsets where topic = $1 and partition = $2 and next_offset > $3", r.Topic, r.Partition, r.Offset)
		if err != nil || len(past) > 0 {
			return err
		}
		if err := failure.Sleep(ctx, again); err != nil {
			return fmt.Errorf("wait for the sink to come to %s/%d/%d: %w", r.Topic, r.Partition, r.Offset, err)
		}
	}
}
