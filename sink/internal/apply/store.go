// SPDX-License-Identifier: Apache-2.0

// Package apply writes events to Postgres: rows, ledger and consumer offsets in
// one transaction.
package apply

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/sink/internal/sqlstate"
	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/breaker"
	"github.com/hookstream/hookstream/stage/deadletter"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
)

// Config of a Store.
type Config struct {
	Pool *pgxpool.Pool
	// Group is the consumer group whose offsets the store keeps.
	Group  string
	Topics topic.Names
	// TopicIDs asks for the ids of the topics; those that are unknown are not compared.
	TopicIDs func(context.Context) (map[string]string, error)
	Tables   []*table.Table
	Schemas  *registry.Decoder
	// Producer writes dead letters; it must be idempotent and ask for all
	// acknowledgements. Letters makes them.
	Producer *kgo.Client
	Letters  *deadletter.Writer
	// SynchronousCommit waits for Postgres's disk at each commit. Without,
	// a crash of Postgres loses the last transactions with their offsets, and
	// the events are applied again.
	SynchronousCommit bool
	// DeadLetterAll dead-letters whatever is refused, even if that is most of
	// what comes. Without, the partitions wait then: see breaker.
	DeadLetterAll bool
	// StatementTimeout bounds each statement.
	StatementTimeout time.Duration
	Log              *slog.Logger
}

// Store implements fenced.Store.
type Store struct {
	cfg     Config
	decoder decoder
	begin   []string
	paths   paths
	expect  expectation
	breaker *breaker.Breaker
	failing failing
	// retryAfter is how long held partitions wait.
	retryAfter time.Duration
	metrics    *metrics
}

var _ fenced.Store = (*Store)(nil)

// New makes a Store. It does not connect.
func New(cfg Config) (*Store, error) {
	m, err := newMetrics()
	if err != nil {
		return nil, err
	}
	tables := map[string]*table.Table{}
	for _, t := range cfg.Tables {
		tables[t.Entity.Name] = t
	}
	return &Store{
		cfg: cfg, metrics: m, begin: beginSQL(&cfg, idleTimeout), paths: defaultPaths,
		breaker: breaker.New(), failing: failing{}, retryAfter: breaker.RetryAfter,
		decoder: decoder{topics: cfg.Topics, tables: tables, schemas: cfg.Schemas},
	}, nil
}

// lockShare is how much of a statement's time it may wait for a lock. What others
// lock is no reason to try fewer rows, and all partitions of the transaction wait.
const lockShare = 10

// idleTimeout is how long the server waits for the next statement of a transaction.
// What keeps it waiting is dead letters at most. A host that lost its power or a
// process that stands still would else keep its offsets locked, and whoever takes
// them over waiting, until the connection is found dead: after two hours by default.
const idleTimeout = 2 * produceTimeout

// beginSQL begins a transaction and sets what holds for it: nothing of the session,
// which a pooler may give to others. A lock_timeout of the administrator's stays.
// Constraints that somebody deferred are checked at once: at
// the commit, nothing would say which row they refused.
func beginSQL(cfg *Config, idle time.Duration) []string {
	commit := "off"
	if cfg.SynchronousCommit {
		commit = "on"
	}
	statement := cfg.StatementTimeout.Milliseconds()
	return []string{
		"begin isolation level read committed",
		fmt.Sprintf("select set_config('synchronous_commit', '%s', true), set_config('statement_timeout', '%d', true), set_config('idle_in_transaction_session_timeout', '%d', true), "+
			"set_config('lock_timeout', case current_setting('lock_timeout') when '0' then '%d' else current_setting('lock_timeout') end, true)",
			commit, statement, idle.Milliseconds(), statement/lockShare),
		"set constraints all immediate",
	}
}

// classify gives an error its class. A server that has become a standby answers
// reads but no writes: its connections are dropped, so that the next ones find
// the new primary. What takes too long is tried in halves, and what one row may have
// caused a partition at a time.
func (s *Store) classify(err error) error {
	if sqlstate.Code(err) == sqlstate.ReadOnly {
		s.cfg.Pool.Reset()
	}
	err = sqlstate.Classify(err)
	switch {
	case sqlstate.Slow(err):
		return failure.NewTransient(fmt.Errorf("%w: %w", fenced.ErrSlow, err))
	case sqlstate.Partial(err), errors.Is(err, errStrange):
		return failure.NewTransient(fmt.Errorf("%w: %w", fenced.ErrPartial, err))
	}
	return err
}

// claimTimeout bounds reading and taking claims, which wait for the lock of a
// transaction that is about to end.
const claimTimeout = 30 * time.Second

const takeOver = `insert into hookstream.consumer_offsets as o (consumer_group, topic, partition, epoch, topic_id)
	select $1, p.topic, p.partition, 1, nullif(p.id, '') from unnest($2::text[], $3::integer[], $4::text[]) as p (topic, partition, id)
	order by p.topic, p.partition
	on conflict (consumer_group, topic, partition) do update set epoch = o.epoch + 1, updated_at = now(),
		topic_id = case when o.next_offset < 0 then excluded.topic_id else coalesce(o.topic_id, excluded.topic_id) end
	returning topic, partition, epoch, next_offset`

// madeAnew finds offsets that are of another topic of the same name.
const madeAnew = `select o.topic, o.partition, o.next_offset
	from unnest($2::text[], $3::integer[], $4::text[]) as p (topic, partition, id)
	join hookstream.consumer_offsets o on o.consumer_group = $1 and o.topic = p.topic and o.partition = p.partition
	where p.id <> '' and o.topic_id <> p.id order by 1, 2 limit 1`

const readClaims = `select o.topic, o.partition, o.epoch, o.next_offset
	from unnest($2::text[], $3::integer[]) as p (topic, partition)
	join hookstream.consumer_offsets o on o.consumer_group = $1 and o.topic = p.topic and o.partition = p.partition`

// TakeOver implements fenced.Store. Rows are locked in one order, so that two
// consumers that take over at once do not deadlock. Offsets of a topic that was
// deleted are Fatal: in another of its name they would pass over records.
func (s *Store) TakeOver(ctx context.Context, parts []kafka.Partition) (map[kafka.Partition]fenced.Claim, error) {
	if err := s.alone(ctx, parts); err != nil {
		return nil, err
	}
	topics, err := s.cfg.TopicIDs(ctx)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(parts))
	for i, p := range parts {
		ids[i] = topics[p.Topic]
	}
	claims, err := s.claims(ctx, takeOver, parts, ids)
	if err != nil {
		return nil, fmt.Errorf("take %d partitions over: %w", len(parts), err)
	}
	old, err := s.offsets(ctx, madeAnew, parts, ids)
	if err != nil {
		return nil, fmt.Errorf("compare the topics of %d partitions: %w", len(parts), err)
	}
	for p, next := range old {
		return nil, failure.NewFatal("topic %s was deleted and created again, and the offset %d of %s in the database is of the old one: what was in that and not applied is lost. "+
			"To read the new one from its start, run: DELETE FROM hookstream.consumer_offsets WHERE consumer_group = %s AND topic = %s; "+
			"the ledger takes no event twice (docs/runbooks/topic-gone.md)", p.Topic, next, p, literal(s.cfg.Group), literal(p.Topic))
	}
	return claims, nil
}

const otherGroup = `select consumer_group, topic from hookstream.consumer_offsets
	where consumer_group <> $1 and topic = any($2) and next_offset >= 0 order by 1, 2 limit 1`

// alone refuses topics of which another group has applied records here. Each event
// would come from both, and the later one be noted as a repeat that the provider never
// sent.
func (s *Store) alone(ctx context.Context, parts []kafka.Partition) error {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	topics := make([]string, len(parts))
	for i, p := range parts {
		topics[i] = p.Topic
	}
	var other, topic string
	err := s.cfg.Pool.QueryRow(ctx, otherGroup, s.cfg.Group, topics).Scan(&other, &topic)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return s.classify(fmt.Errorf("look for other groups: %w", err))
	}
	return failure.NewFatal("this database has %s from consumer group %s, and HOOKSTREAM_SINK_GROUP is %s: two groups would apply each event twice. "+
		"To go on where the other one is, which must be stopped, run in the database\n  UPDATE hookstream.consumer_offsets SET consumer_group = %s WHERE consumer_group = %s;\n"+
		"or give this sink a database of its own, or set HOOKSTREAM_SINK_GROUP=%s", topic, other, s.cfg.Group, literal(s.cfg.Group), literal(other), other)
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Claims implements fenced.Store.
func (s *Store) Claims(ctx context.Context, parts []kafka.Partition) (map[kafka.Partition]fenced.Claim, error) {
	claims, err := s.claims(ctx, readClaims, parts)
	if err != nil {
		return nil, fmt.Errorf("read the claims of %d partitions: %w", len(parts), err)
	}
	return claims, nil
}

// Reset implements fenced.Store.
func (s *Store) Reset(part kafka.Partition, next int64) string {
	return fmt.Sprintf("UPDATE hookstream.consumer_offsets SET next_offset = %d WHERE consumer_group = %s AND topic = %s AND partition = %d;",
		next, literal(s.cfg.Group), literal(part.Topic), part.Partition)
}

func (s *Store) claims(ctx context.Context, sql string, parts []kafka.Partition, more ...any) (map[kafka.Partition]fenced.Claim, error) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	claims, err := s.askClaims(ctx, sql, append(s.args(parts), more...))
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, fmt.Errorf("Postgres does not answer: %w", err) //nolint:staticcheck // it is a name
	}
	return claims, s.classify(err)
}

func (s *Store) askClaims(ctx context.Context, sql string, args []any) (map[kafka.Partition]fenced.Claim, error) {
	rows, err := s.cfg.Pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	claims := map[kafka.Partition]fenced.Claim{}
	var p kafka.Partition
	var c fenced.Claim
	_, err = pgx.ForEachRow(rows, []any{&p.Topic, &p.Partition, &c.Epoch, &c.Next}, func() error {
		claims[p] = c
		return nil
	})
	return claims, err
}

// args are the group and the partitions, as the statements take them.
func (s *Store) args(parts []kafka.Partition) []any {
	topics, partitions := make([]string, len(parts)), make([]int32, len(parts))
	for i, p := range parts {
		topics[i], partitions[i] = p.Topic, p.Partition
	}
	return []any{s.cfg.Group, topics, partitions}
}

// offsets runs a statement that returns partitions and offsets.
func (s *Store) offsets(ctx context.Context, sql string, parts []kafka.Partition, more ...any) (map[kafka.Partition]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	rows, err := s.cfg.Pool.Query(ctx, sql, append(s.args(parts), more...)...)
	if err != nil {
		return nil, s.classify(err)
	}
	found := map[kafka.Partition]int64{}
	var p kafka.Partition
	var next int64
	_, err = pgx.ForEachRow(rows, []any{&p.Topic, &p.Partition, &next}, func() error {
		found[p] = next
		return nil
	})
	return found, s.classify(err)
}
