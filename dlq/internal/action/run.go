// SPDX-License-Identifier: Apache-2.0

package action

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/crash"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/tracing"
)

// Bounds of what is held in memory, in bytes. Of every partition one transaction
// is being written and one being filled.
const (
	maxBatchBytes = 4 << 20 // of a transaction
	maxHeldBytes  = 64 << 20
	// handOverBytes is that of the dead letters that are handed from one
	// goroutine to the next at once.
	handOverBytes = 1 << 20
)

// takeOvers is how many transactional ids are taken over at once.
const takeOvers = 8

// Run carries the plan out and returns how many dead letters were acted on in
// transactions that committed.
//
// It first takes over the transactional id of every partition in the plan, which
// ends whatever another operator has in hand there, and then reads the
// resolutions again: from then on nobody else can act on these partitions, and
// what was done before is known. The record and its resolution are written in
// one transaction, so at every moment a dead letter is either open and unsent or
// resolved and sent. When ctx ends, the transactions in hand are finished.
func (j *Job) Run(ctx context.Context, p *Plan) (done int, err error) {
	if len(p.last) == 0 {
		return 0, nil
	}
	crash.At(crash.BeforeTakeOver)
	r := &run{Job: j, plan: p, named: map[string]bool{}, ready: make(chan struct{}), room: semaphore.NewWeighted(maxHeldBytes)}
	for _, id := range j.IDs {
		r.named[id] = true
	}
	defer func() {
		for _, w := range r.writers {
			w.to.close()
		}
	}()
	if j.Action == record.Replayed {
		r.trace = tracing.StartReplay(ctx, j.ReplayID)
		defer func() { r.trace.End(done, err) }()
	}
	g, ctx := errgroup.WithContext(ctx)
	selected := make(chan []*letters.Letter)
	g.Go(func() error { return r.read(ctx, selected) })
	g.Go(func() error { return r.fill(ctx, selected) })
	g.Go(func() error {
		if err := r.prepare(ctx); err != nil {
			return err
		}
		for _, w := range r.writers {
			g.Go(func() error { return r.write(ctx, w) })
		}
		close(r.ready)
		return nil
	})
	if err = g.Wait(); err == nil {
		p.skip(r.done)
	}
	return r.done, err
}

// prepare takes the partitions over and reads the resolutions. Meanwhile the
// first dead letters are fetched; none is decided on before.
func (r *run) prepare(ctx context.Context) (err error) {
	if r.writers, err = r.takeOver(ctx, r.plan); err != nil {
		return err
	}
	r.resolved, err = resolutions.ReadSettled(ctx, r.Kafka, r.Log)
	return err
}

// takeOver makes a writer for each partition of the plan. On an error it returns
// those that are to be closed.
func (j *Job) takeOver(ctx context.Context, p *Plan) (map[int32]*writer, error) {
	writers := map[int32]*writer{}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(takeOvers)
	for n := range p.last {
		g.Go(func() error {
			to, err := newProducer(ctx, j.Kafka, j.Log, n)
			if err != nil {
				return err
			}
			crash.At(crash.AfterTakeOver)
			mu.Lock()
			defer mu.Unlock()
			writers[n] = &writer{to: to, batches: make(chan batch)}
			return nil
		})
	}
	return writers, g.Wait()
}

// run is one Run under way. One goroutine reads and selects, one fills batches, one
// a partition writes them: order within a partition is kept, and the next
// transaction is prepared while the one before is written.
type run struct {
	*Job
	plan     *Plan
	resolved *resolutions.Set
	named    map[string]bool
	// ready is closed when writers and resolved are there.
	ready   chan struct{}
	writers map[int32]*writer

	// room is taken by what the transactions hold until they are committed.
	room *semaphore.Weighted

	// trace is nil where nothing is sent.
	trace *tracing.Replay

	mu   sync.Mutex
	done int
}

type writer struct {
	to      *producer
	batches chan batch
	// next is being filled.
	next batch
}

// batch is a transaction to come.
type batch struct {
	records        []*kgo.Record
	letters, bytes int
	// held is how much of the room it takes.
	held int64
}

// errPast ends the reading after the plan's last dead letters.
var errPast = errors.New("past the plan")

// handOver is how many dead letters are handed from one goroutine to the next at
// once.
const handOver = 100

// read hands the plan's dead letters to fill, in their order. letters.Read leaves
// out the copies of a failure, wherever they lie.
func (r *run) read(ctx context.Context, to chan<- []*letters.Letter) error {
	reading := maps.Clone(r.plan.last)
	partitions := slices.Collect(maps.Keys(r.plan.last))
	var selected []*letters.Letter
	size := 0
	err := letters.Read(ctx, r.Kafka, r.Log, partitions, r.Foreign, func(l *letters.Letter) error {
		if err := r.wait(ctx); err != nil {
			return err
		}
		if l.At.Offset >= r.plan.last[l.At.Partition] {
			delete(reading, l.At.Partition)
		}
		if l.At.Offset <= r.plan.last[l.At.Partition] && r.selects(l) {
			selected, size = append(selected, l), size+kafka.RecordBytes(l.Raw)
		}
		if len(selected) == handOver || size >= handOverBytes {
			if err := send(ctx, to, selected); err != nil {
				return err
			}
			selected, size = nil, 0
		}
		if len(reading) == 0 {
			return errPast
		}
		return nil
	})
	if err != nil && !errors.Is(err, errPast) {
		return err
	}
	if err := send(ctx, to, selected); err != nil {
		return err
	}
	close(to)
	return nil
}

// wait waits for prepare.
func (r *run) wait(ctx context.Context) error {
	select {
	case <-r.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// selects is the plan's choice again, without what was resolved meanwhile.
func (r *run) selects(l *letters.Letter) bool {
	if r.resolved.Status(l) != r.from() {
		return false
	}
	if len(r.named) > 0 {
		return r.named[l.ID]
	}
	return r.Match(l) && !r.cameOf(l)
}

// fill decides on the dead letters and hands full batches to their writers.
func (r *run) fill(ctx context.Context, from <-chan []*letters.Letter) error {
	for {
		selected, more, err := receive(ctx, from)
		if err != nil {
			return err
		}
		if !more {
			return r.finish(ctx)
		}
		for _, l := range selected {
			if err := r.add(ctx, l); err != nil {
				return err
			}
		}
	}
}

// finish hands the last batches over and ends the writers.
func (r *run) finish(ctx context.Context) error {
	if err := r.wait(ctx); err != nil {
		return err
	}
	for _, w := range r.writers {
		if err := w.flush(ctx); err != nil {
			return err
		}
		close(w.batches)
	}
	return nil
}

func (r *run) add(ctx context.Context, l *letters.Letter) error {
	act, refusal := r.decide(l)
	if refusal != "" {
		r.plan.Skipped = refuse(r.plan.Skipped, refusal, l.ID)
		return nil
	}
	res := r.resolution(l, act, r.resolved.Get(l))
	res.Planned = r.plan.Total() + r.plan.Sent
	resolution, err := res.Record(r.Kafka.Topics.Resolutions)
	if err != nil {
		return err
	}
	records := []*kgo.Record{resolution}
	if act.record != nil {
		r.trace.Send(act.record)
		records = []*kgo.Record{act.record, resolution}
	}
	w := r.writers[l.At.Partition]
	if err := r.hold(ctx, w, records); err != nil {
		return err
	}
	if w.next.letters++; w.next.letters >= r.Pace.batch(r.BatchSize) || w.next.bytes >= maxBatchBytes {
		return w.flush(ctx)
	}
	return nil
}

// hold adds records to a batch when there is room for them. Until there is, it
// hands the largest batches over.
func (r *run) hold(ctx context.Context, w *writer, records []*kgo.Record) error {
	size := 0
	for _, rec := range records {
		size += kafka.RecordBytes(rec)
	}
	held := min(int64(size), maxHeldBytes) // what is larger goes alone
	for !r.room.TryAcquire(held) {
		largest := w
		for _, o := range r.writers {
			if o.next.bytes > largest.next.bytes {
				largest = o
			}
		}
		if largest.next.letters > 0 {
			if err := largest.flush(ctx); err != nil {
				return err
			}
			continue
		}
		if err := r.room.Acquire(ctx, held); err != nil {
			return err
		}
		break
	}
	w.next.records = append(w.next.records, records...)
	w.next.bytes, w.next.held = w.next.bytes+size, w.next.held+held
	return nil
}

// flush hands the batch over when the one before is written.
func (w *writer) flush(ctx context.Context) error {
	if w.next.letters == 0 {
		return nil
	}
	next := w.next
	w.next = batch{}
	return send(ctx, w.batches, next)
}

// write commits batches until there are no more or ctx ends.
func (r *run) write(ctx context.Context, w *writer) error {
	for {
		b, more, err := receive(ctx, w.batches)
		if err != nil || !more {
			return err
		}
		if err := r.Pace.Wait(ctx, b.letters); err != nil {
			return err
		}
		if err := w.to.commit(ctx, b.records); err != nil {
			return fmt.Errorf("partition %d: %w", w.to.partition, err)
		}
		r.room.Release(b.held)
		r.mu.Lock()
		r.done += b.letters
		r.Done(r.done)
		r.mu.Unlock()
	}
}

func send[T any](ctx context.Context, to chan<- T, v T) error {
	select {
	case to <- v:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// receive reports whether there is more; there is none once from is closed.
func receive[T any](ctx context.Context, from <-chan T) (v T, more bool, err error) {
	select {
	case v, more = <-from:
		return v, more, nil
	case <-ctx.Done():
		return v, false, ctx.Err()
	}
}
