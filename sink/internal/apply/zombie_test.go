// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/runtest"
)

// TestZombieWritesNothing has two loops on one database. The first stands still in
// the middle of a batch, loses its partition to the second, and goes on.
func TestZombieWritesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		// inside the transaction, after it has claimed the offsets.
		inside bool
		ends   func(error) bool
	}{
		"before its claim": {false, func(err error) bool { return errors.Is(err, fenced.ErrClaim) }},
		"after its claim":  {true, func(err error) bool { return err != nil }}, // whether the server's word or the lost connection is seen first
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.createTopic(t, 1)
			g := &gate{inside: c.inside, reached: make(chan struct{}), opened: make(chan struct{})}
			g.armed.Store(true)
			zombie := w.silent(t, g)
			first := w.loop(t, zombie, "zombie")
			t.Cleanup(g.open) // before the loop is stopped, should the test fail
			w.produce(t, w.records(t, customers(20)...)...)
			within(t, "the zombie to stand still", g.reached)
			w.evict(t)

			second := w.loop(t, w.store, "heir")
			w.await(t, 20)
			const written = `select coalesce(string_agg(event_id || outcome || applied_at || attempt, ',' order by event_id), '') from hookstream.events`
			before := one[string](t, w, written)
			g.open()
			if err := within(t, "the zombie's batch to end", zombie.ended); !c.ends(err) {
				t.Errorf("the zombie's batch ended with %v", err)
			}
			if after := one[string](t, w, written); after != before {
				t.Errorf("the ledger was %s, and is %s", before, after)
			}

			w.produce(t, w.records(t, customersFrom(20, 20)...)...)
			w.await(t, 40)
			first.Stop()
			second.Stop()
			if got := len(w.outcomes(t)); got != 40 {
				t.Errorf("%d events in the ledger, want 40", got)
			}
			if n := one[int](t, w, "select count(*) from hookstream.deliveries"); n != 0 {
				t.Errorf("%d events were applied again", n)
			}
			if epoch := one[int64](t, w, "select epoch from hookstream.consumer_offsets"); epoch < 2 {
				t.Errorf("epoch %d: nobody took over", epoch)
			}
		})
	}
}

// watched tells how its first batch ended.
type watched struct {
	*Store
	once  sync.Once
	ended chan error
}

func (s *watched) Apply(ctx context.Context, batches []fenced.Batch, prepared any) error {
	err := s.Store.Apply(ctx, batches, prepared)
	s.once.Do(func() { s.ended <- err })
	return err
}

// silent is a store on connections of its own that stands still at a gate.
func (w *world) silent(t *testing.T, g *gate) *watched {
	t.Helper()
	pooled := w.pool.Config()
	pooled.ConnConfig.Tracer = g
	pool, err := pgxpool.NewWithConfig(t.Context(), pooled)
	must(t, err)
	t.Cleanup(pool.Close)
	cfg := w.store.cfg
	cfg.Pool = pool
	s, err := New(cfg)
	must(t, err)
	s.begin = beginSQL(&cfg, 300*time.Millisecond)
	return &watched{Store: s, ended: make(chan error, 1)}
}

func (w *world) loop(t *testing.T, s fenced.Store, client string) *runtest.Run {
	t.Helper()
	return runtest.Start(t, fenced.New(fenced.Config{
		Kafka: w.kafka, Group: w.broker.Name("test"), Topics: []string{w.kafka.Topics.Events("customer")}, ClientID: client,
		MaxRecords: 500, SessionTimeout: 15 * time.Second, DrainTimeout: 10 * time.Second, Log: w.log,
	}, s).Run)
}

// evict removes all members from the group, as their session timeout does.
func (w *world) evict(t *testing.T) {
	t.Helper()
	groups, err := kadm.NewClient(w.store.cfg.Producer).DescribeGroups(t.Context(), w.broker.Name("test"))
	must(t, errors.Join(err, groups.Error()))
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = w.broker.Name("test")
	for _, m := range groups[leave.Group].Members {
		member := kmsg.NewLeaveGroupRequestMember()
		member.MemberID = m.MemberID
		leave.Members = append(leave.Members, member)
	}
	left, err := leave.RequestWith(t.Context(), w.store.cfg.Producer)
	must(t, err)
	must(t, kerr.ErrorForCode(left.ErrorCode))
	if len(left.Members) != 1 {
		t.Fatalf("%d members were removed, want the zombie", len(left.Members))
	}
	must(t, kerr.ErrorForCode(left.Members[0].ErrorCode))
}

func within[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(runtest.Patience):
		t.Fatalf("waited %s in vain for %s", runtest.Patience, what)
	}
	return v
}

// gate has whoever claims offsets over its connections stand still, once: before the
// claim is sent, or inside the transaction, when it was answered.
type gate struct {
	inside          bool
	armed           atomic.Bool
	once            sync.Once
	reached, opened chan struct{}
}

func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }

func (g *gate) pass() {
	if g.armed.CompareAndSwap(true, false) {
		close(g.reached)
		<-g.opened
	}
}

type claims struct{}

func (g *gate) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	if !slices.ContainsFunc(data.Batch.QueuedQueries, func(q *pgx.QueuedQuery) bool { return q.SQL == claimSQL }) {
		return ctx
	}
	if !g.inside {
		g.pass()
	}
	return context.WithValue(ctx, claims{}, true)
}

func (g *gate) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchEndData) {
	if g.inside && ctx.Value(claims{}) != nil {
		g.pass()
	}
}

func (*gate) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (*gate) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (*gate) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
