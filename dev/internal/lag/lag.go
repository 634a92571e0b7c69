// SPDX-License-Identifier: Apache-2.0

// Package lag counts what a consumer group has still to read.
package lag

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/hookstream/hookstream/stage/kafka"
)

// Of is the lag of group on topic, in records. Where the last thing in a
// partition is a transaction marker, as on the event topics, and on the raw topic
// after a replay, it is one too many.
func Of(ctx context.Context, admin *kadm.Client, group, topic string) (int64, error) {
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err := errors.Join(err, ends.Error()); err != nil {
		return 0, err
	}
	committed, err := Committed(ctx, admin, group)
	if err != nil {
		return 0, err
	}
	var lag int64
	ends.Each(func(end kadm.ListedOffset) {
		at := committed[kafka.Partition{Topic: end.Topic, Partition: end.Partition}]
		lag += max(0, end.Offset-at)
	})
	return lag, nil
}
