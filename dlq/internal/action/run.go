// SPDX-License-Identifier: Apache-2.0

package action

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
	"github.com/hookstream/hookstream/stage/kafka"
)

// maxBatchBytes bounds what a transaction holds in memory.
const maxBatchBytes = 16 << 20

// Run carries the plan out and returns how many dead letters were acted on in
// transactions that committed.
//
// It first takes over the transactional id of every partition in the plan, which
// ends whatever another operator has in hand there, and then reads the
// resolutions again: from then on nobody else can act on these partitions, and
// what was done before is known. The record and its resolution are written in
// one transaction, so at every moment a dead letter is either open and unsent or
// resolved and sent. When ctx ends, the transaction in hand is finished.
func (j *Job) Run(ctx context.Context, p *Plan) (done int, err error) {
	partitions := slices.Sorted(maps.Keys(p.last))
	producers := map[int32]*producer{}
	defer func() {
		for _, pr := range producers {
			pr.close()
		}
	}()
	for _, n := range partitions {
		if producers[n], err = newProducer(ctx, j.Kafka, j.Log, n); err != nil {
			return 0, err
		}
	}
	resolved, err := resolutions.Read(ctx, j.Kafka, j.Log)
	if err != nil {
		return 0, err
	}
	r := run{Job: j, resolved: resolved, named: map[string]bool{}}
	for _, id := range j.IDs {
		r.named[id] = true
	}
	for _, n := range partitions {
		if err := r.partition(ctx, producers[n], n, p.last[n]); err != nil {
			return r.done, err
		}
	}
	return r.done, nil
}

// run is one Run under way.
type run struct {
	*Job
	resolved resolutions.Map
	named    map[string]bool
	done     int

	// The transaction to come.
	records []*kgo.Record
	batch   resolutions.Map
	bytes   int
}

// errPast ends the reading of a partition after the plan's last dead letter.
var errPast = errors.New("past the plan")

// partition acts on one partition's dead letters, in their order.
func (r *run) partition(ctx context.Context, to *producer, n int32, last int64) error {
	r.clear()
	err := letters.Read(ctx, r.Kafka, r.Log, []int32{n}, r.Foreign, func(l *letters.Letter) error {
		if l.At.Offset > last {
			return errPast
		}
		if !r.selects(l) {
			return nil
		}
		if err := r.add(l); err != nil {
			return err
		}
		if len(r.batch) < r.BatchSize && r.bytes < maxBatchBytes {
			return nil
		}
		return r.commit(ctx, to)
	})
	if err != nil && !errors.Is(err, errPast) {
		return err
	}
	return r.commit(ctx, to)
}

// selects is the plan's choice again, without what was resolved meanwhile.
func (r *run) selects(l *letters.Letter) bool {
	if _, ok := r.resolved[l.ID]; ok {
		return false
	}
	if len(r.named) > 0 {
		return r.named[l.ID]
	}
	return r.Match(l)
}

func (r *run) add(l *letters.Letter) error {
	replayed, refusal := r.Verdict(l)
	if refusal != "" {
		return nil
	}
	res := r.resolution(l, replayed)
	resolution, err := res.Record(r.Kafka.Topics.Resolutions)
	if err != nil {
		return err
	}
	if replayed != nil {
		r.records = append(r.records, replayed)
		r.bytes += kafka.RecordBytes(replayed)
	}
	r.records = append(r.records, resolution)
	r.batch[l.ID] = res
	return nil
}

func (r *run) commit(ctx context.Context, to *producer) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(r.batch) == 0 {
		return nil
	}
	if err := to.commit(ctx, r.records); err != nil {
		return fmt.Errorf("partition %d: %w", to.partition, err)
	}
	maps.Copy(r.resolved, r.batch)
	r.done += len(r.batch)
	r.Done(r.done)
	r.clear()
	return nil
}

func (r *run) clear() {
	r.records, r.batch, r.bytes = nil, resolutions.Map{}, 0
}
