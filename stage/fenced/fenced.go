// SPDX-License-Identifier: Apache-2.0

// Package fenced is the consume loop of exactly-once stages that write to a
// database. The database holds each partition's offset and an epoch, and moves
// both in the transaction that applies the records, so a consumer that lost its
// partition without noticing (a zombie) changes nothing.
package fenced

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hookstream/hookstream/stage/crash"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/progress"
	"github.com/hookstream/hookstream/stage/tracing"
)

// NeverRead is the next offset of a partition that was taken over for the
// first time: it is read from its beginning.
const NeverRead = -1

// Claim is the right to apply records of one partition.
type Claim struct {
	// Epoch counts the partition's owners.
	Epoch int64
	// Next is the offset of the first record that was not applied, or
	// NeverRead.
	Next int64
}

// Batch is a run of one partition's records, in order.
type Batch struct {
	Partition kafka.Partition
	// Claim must be what the database holds when the batch is applied.
	Claim   Claim
	Records []*kgo.Record
	// Attempt at the transaction that the batch is applied in, from 1.
	Attempt int
}

// Next is the offset after the batch.
func (b *Batch) Next() int64 { return b.Records[len(b.Records)-1].Offset + 1 }

// Store is the database side of the loop.
type Store interface {
	// TakeOver raises the epoch of each partition, creating it where it is
	// missing, and returns the new claims.
	TakeOver(ctx context.Context, parts []kafka.Partition) (map[kafka.Partition]Claim, error)
	// Claims reads the current claims without changing them.
	Claims(ctx context.Context, parts []kafka.Partition) (map[kafka.Partition]Claim, error)
	// Prepare does ahead, while the transaction before is in the database,
	// what of the first attempt to Apply batches needs no claim. It may return
	// nil, as when it fails: Apply does what is missing.
	Prepare(ctx context.Context, batches []Batch) any
	// Apply applies the batches and moves their offsets in one transaction,
	// all or none. Prepared is what Prepare made of the same batches, or nil.
	// It returns ErrClaim when a claim is not the database's, ErrSlow when
	// fewer records might do, ErrPartial when some of the records may be what
	// fails, and a *kafka.Hold when some of the partitions are to wait.
	Apply(ctx context.Context, batches []Batch, prepared any) error
	// Reset is the statement with which a person has a partition read from an offset,
	// in words that can be copied.
	Reset(part kafka.Partition, next int64) string
}

// ErrClaim means that a batch's claim is not what the database holds: another
// consumer took over, or this one lost track.
var ErrClaim = errors.New("claim does not match the database")

// ErrSlow means that the database gave a batch up because it took too long. It is
// tried again with half as many records, and the size grows back as batches
// succeed.
var ErrSlow = errors.New("batch takes too long")

// ErrPartial means that a failure which passes may be of some records only, while all
// that share the transaction fail with them: somebody has the lock of a row, a trigger
// refuses one. Which they are, the database does not say.
var ErrPartial = errors.New("part of the batch cannot be applied yet")

// commitInterval is how far Kafka's offsets may lag behind the database's.
const commitInterval = time.Second

// Config of a Loop.
type Config struct {
	Kafka  *kafka.Config
	Group  string
	Topics []string
	// ClientID names the client in the broker's logs.
	ClientID string
	// MaxRecords of one database transaction.
	MaxRecords int
	// SessionTimeout is how long a member that went silent keeps its
	// partitions.
	SessionTimeout time.Duration
	// DrainTimeout bounds finishing the current batch at shutdown.
	DrainTimeout time.Duration
	Log          *slog.Logger
	// Status is told what the loop is doing; nil means nobody asks.
	Status func(ready bool, reason string)
	// Attempts is told of each attempt that fails, and when that is over; nil
	// means nobody asks.
	Attempts func(Attempt)
}

// Loop consumes and applies until it is told to stop.
type Loop struct {
	cfg   Config
	store Store
	// limit is how many records a transaction may have now: MaxRecords, or
	// fewer after ErrSlow.
	limit     int
	nextCheck time.Time
	meter     *progress.Meter
	tracer    *tracing.Consumer
	// id is this run's, from which those of its transactions are made.
	id           string
	transactions int

	// client is the session's, nil between two.
	client atomic.Pointer[kgo.Client]

	mu     sync.Mutex
	claims map[kafka.Partition]Claim
	held   map[kafka.Partition]holding
	// yield ends the waits of the current batch; see patience.
	yield context.CancelFunc
}

// New makes a Loop. It does not connect yet.
func New(cfg Config, store Store) *Loop {
	if cfg.Status == nil {
		cfg.Status = func(bool, string) {}
	}
	if cfg.Attempts == nil {
		cfg.Attempts = func(Attempt) {}
	}
	return &Loop{
		cfg: cfg, store: store, limit: cfg.MaxRecords, claims: map[kafka.Partition]Claim{}, held: map[kafka.Partition]holding{},
		tracer: tracing.NewConsumer(cfg.Group, cfg.ClientID), id: cfg.ClientID + "/" + strconv.FormatInt(time.Now().UnixMilli(), 36),
	}
}

// Member is the id by which the group knows the loop, or "" while it is none of its
// members. Brokers make it, so no two loops anywhere have the same.
func (l *Loop) Member() string {
	client := l.client.Load()
	if client == nil {
		return ""
	}
	id, _ := client.GroupMetadata()
	return id
}

// Run works until ctx ends, finishes the batch it is in, leaves the group and
// returns nil. It returns an error only when that is Fatal.
func (l *Loop) Run(ctx context.Context) error {
	var err error
	if l.meter, err = progress.New(l.cfg.Group); err != nil {
		return failure.NewFatal("metrics of the consumer: %w", err)
	}
	defer func() { _ = l.meter.Close() }() // it only stops to report
	return kafka.Sessions(ctx, l.cfg.Log, l.cfg.Status, l.meter.Session(l.session))
}

// session runs one client from joining the group to its end.
func (l *Loop) session(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	client, err := l.cfg.Kafka.NewClient(l.cfg.ClientID, l.cfg.Log,
		kgo.ConsumerGroup(l.cfg.Group),
		kgo.ConsumeTopics(l.cfg.Topics...),
		kgo.SessionTimeout(l.cfg.SessionTimeout),
		kgo.HeartbeatInterval(l.cfg.SessionTimeout/5),
		// Kafka is told the offsets for lag tools only, in the background:
		// a commit in the loop would wait for rebalances.
		kgo.AutoCommitMarks(),
		kgo.AutoCommitInterval(commitInterval),
		kgo.AutoCommitCallback(func(*kgo.Client, *kmsg.OffsetCommitRequest, *kmsg.OffsetCommitResponse, error) {}),
		kgo.BlockRebalanceOnPoll(),
		kgo.AdjustFetchOffsetsFn(func(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
			out, err := l.takeOver(ctx, offsets)
			if failure.Of(err) == failure.Fatal {
				stop(err) // the client would only try again
			}
			return out, err
		}),
		kgo.OnPartitionsRevoked(l.revoked),
		kgo.OnPartitionsLost(l.lost),
		kgo.OnPartitionsCallbackBlocked(func(context.Context, *kgo.Client) { l.yieldNow() }),
	)
	if err != nil {
		return err
	}
	defer l.reset()
	defer closeClient(ctx, client)
	l.client.Store(client)
	defer l.client.Store(nil)
	if err := reach(ctx, client); err != nil {
		return err
	}
	l.status()
	l.nextCheck = time.Now().Add(checkInterval)
	for ctx.Err() == nil {
		if err := l.step(ctx, client); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// reachTimeout bounds the wait for a broker at the begin of a session, goodbye what
// is only polite at its end.
const (
	reachTimeout = 10 * time.Second
	goodbye      = 5 * time.Second
)

// reach fails where no broker answers. What ended the session before is the status
// until one does.
func reach(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		return kafka.Classify(fmt.Errorf("reach a broker: %w", err))
	}
	return nil
}

// closeClient leaves the group.
func closeClient(ctx context.Context, client *kgo.Client) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	client.AllowRebalance()
	_ = client.LeaveGroupContext(ctx) // else the group notices by the session timeout
	client.CloseAllowingRebalance()
}

func (l *Loop) step(ctx context.Context, client *kgo.Client) error {
	// Made before the poll: from when that returns, a rebalance may wait for
	// us, and it says so only once.
	work, patience, stop := l.contexts(ctx)
	defer stop()
	fetches := l.poll(ctx, client)
	defer client.AllowRebalance()
	for _, e := range fetches.Errors() {
		err := l.fetchError(ctx, client, e)
		// Without the group the partitions are gone, and nothing would say so. Of
		// another topic the client says the same again and again, at once.
		if failure.Of(err) == failure.Fatal || errors.As(err, new(*kgo.ErrGroupSession)) || errors.Is(err, kerr.UnknownTopicID) {
			return err
		}
		if err != nil {
			l.cfg.Log.WarnContext(ctx, "fetch failed; the client tries again", "error", err)
		}
	}
	l.meter.Polled(fetches)
	if err := l.drain(work, patience, client, l.batches(fetches)); err != nil {
		return err
	}
	return l.check(patience, client)
}

// poll waits for records, or until it is time for something else.
func (l *Loop) poll(ctx context.Context, client *kgo.Client) kgo.Fetches {
	l.release(client)
	ctx, cancel := context.WithDeadline(ctx, l.nextPoll())
	defer cancel()
	return client.PollRecords(ctx, transactions*l.cfg.MaxRecords)
}

// batches cuts a poll into runs of one partition. Records of a partition
// without a claim are left: it was taken away, or its claim was lost.
func (l *Loop) batches(fetches kgo.Fetches) []Batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	var batches []Batch
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		part := kafka.Partition{Topic: p.Topic, Partition: p.Partition}
		claim, ok := l.claims[part]
		if len(p.Records) > 0 && ok {
			batches = append(batches, Batch{Partition: part, Claim: claim, Records: p.Records})
		}
	})
	return batches
}

// reconcile compares the batches of s with the database after a failure, and puts those
// back into the queue that are to be tried again. Batches that were applied are
// done; where the database is elsewhere under our own epoch, the consumer goes
// there. A partition that another consumer took over ends the session: with a
// new one, the group says anew who owns what.
func (l *Loop) reconcile(ctx context.Context, client *kgo.Client, q *queue, s *setback) error {
	var current map[kafka.Partition]Claim
	err := failure.Retry(ctx, failure.DefaultBackoff, func(ctx context.Context) (err error) {
		current, err = l.store.Claims(ctx, partitionsOf(s.batches))
		return err
	}, func(failures int, delay time.Duration, err error) {
		l.meter.Failed(ctx, progress.Claim, err)
		l.tried(ctx, s.batches, s.failures+failures, delay, err)
	})
	switch {
	case failure.Of(err) == failure.Fatal:
		return err
	case err != nil: // patience ended
		l.giveBack(client, q, s.batches)
		return nil //nolint:nilerr // whoever reads them again finds out
	}
	var again, done, elsewhere []Batch
	for _, b := range s.batches {
		now, ok := current[b.Partition]
		switch {
		case !ok || now.Epoch != b.Claim.Epoch:
			return takenOver(b.Partition, b.Claim, now)
		case now.Next == b.Claim.Next:
			again = append(again, b)
		case now.Next == b.Next():
			done = append(done, b)
		default:
			l.cfg.Log.WarnContext(ctx, "database is at another offset under our epoch; going there",
				"partition", b.Partition.String(), "expected", b.Claim.Next, "actual", now.Next)
			b.Claim.Next = now.Next
			elsewhere = append(elsewhere, b)
		}
	}
	l.applied(ctx, client, done)
	l.rewind(client, elsewhere)
	q.drop(elsewhere)
	q.putBack(again)
	return nil
}

func partitionsOf(batches []Batch) []kafka.Partition {
	parts := make([]kafka.Partition, len(batches))
	for i := range batches {
		parts[i] = batches[i].Partition
	}
	return parts
}

func recordsOf(batches []Batch) []*kgo.Record {
	var records []*kgo.Record
	for i := range batches {
		records = append(records, batches[i].Records...)
	}
	return records
}

// applied notes how far the database is, and marks it to be told to Kafka.
func (l *Loop) applied(ctx context.Context, client *kgo.Client, batches []Batch) {
	l.over(partitionsOf(batches))
	l.unhold(partitionsOf(batches))
	offsets := l.move(batches, (*Batch).Next)
	if len(offsets) == 0 {
		return
	}
	l.status()
	l.meter.Done(ctx, recordsOf(batches))
	crash.At(crash.BeforeOffsetCommit)
	client.MarkCommitOffsets(offsets)
}

// rewind makes the consumer read batches again from their claims.
func (l *Loop) rewind(client *kgo.Client, batches []Batch) {
	l.over(partitionsOf(batches))
	l.seek(client, batches)
}

func (l *Loop) seek(client *kgo.Client, batches []Batch) {
	offsets := l.move(batches, func(b *Batch) int64 { return b.Claim.Next })
	for i := range batches {
		if b := &batches[i]; b.Claim.Next == NeverRead {
			offsets[b.Partition.Topic][b.Partition.Partition] = kgo.EpochOffset{Epoch: -1, Offset: b.Records[0].Offset}
		}
	}
	if len(offsets) > 0 {
		client.SetOffsets(offsets)
	}
}

// move sets the claims of batches to next and returns the offsets for the
// client.
func (l *Loop) move(batches []Batch, next func(*Batch) int64) map[string]map[int32]kgo.EpochOffset {
	l.mu.Lock()
	defer l.mu.Unlock()
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for i := range batches {
		b := &batches[i]
		at := next(b)
		l.claims[b.Partition] = Claim{Epoch: b.Claim.Epoch, Next: at}
		if offsets[b.Partition.Topic] == nil {
			offsets[b.Partition.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[b.Partition.Topic][b.Partition.Partition] = kgo.EpochOffset{Epoch: -1, Offset: at}
	}
	return offsets
}
