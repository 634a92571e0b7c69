// SPDX-License-Identifier: Apache-2.0

// Package ledger keeps one row an event: what became of it and where it came
// from. It also tells which events were there before.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/sink/internal/copyin"
)

// Outcome says what became of an event.
type Outcome string

// The outcomes.
const (
	// Applied: written to the row.
	Applied Outcome = "applied"
	// Superseded: a newer event of the same entity in the same batch took
	// its place.
	Superseded Outcome = "superseded"
	// Stale: the row already held a newer version.
	Stale Outcome = "stale"
)

// Entry is one event as the ledger sees it.
type Entry struct {
	Event       *event.Event
	Fingerprint identity.Fingerprint
	Outcome     Outcome
	// Origin is where the event was first written, Read where the sink read
	// it: they differ for a replay.
	Origin, Read record.Position
	// PublishedAt is the timestamp of the record that the sink read.
	PublishedAt time.Time
	ReplayCount int
	// TraceID in hexadecimal, or "".
	TraceID string
	// TransactionID is the one that transform wrote the event in, or "".
	TransactionID string
	// Attempt of the sink at the batch, from 1.
	Attempt int
}

// column is one column of the ledger or of the deliveries.
type column struct {
	name, param string
	values      func([]*Entry) any
}

func col[T any](name, param string, get func(*Entry) T) column {
	return column{name, param, func(entries []*Entry) any {
		out := make(pgtype.FlatArray[T], len(entries))
		for i, e := range entries {
			out[i] = get(e)
		}
		return out
	}}
}

// shared are the columns that an event and a repeat of it have in common.
var shared = []column{
	col("fingerprint", "bytea", func(e *Entry) []byte { return e.Fingerprint[:] }),
	col("tenant", "text", func(e *Entry) string { return e.Event.Meta.Tenant }),
	col("provider", "text", func(e *Entry) string { return e.Event.Meta.Provider }),
	col("event_id", "text", func(e *Entry) string { return e.Event.Meta.EventID }),
	col("event_type", "text", func(e *Entry) string { return e.Event.Meta.EventType }),
	col("received_at", "timestamptz", func(e *Entry) time.Time { return e.Event.Meta.ReceivedAt }),
	col("published_at", "timestamptz", func(e *Entry) time.Time { return e.PublishedAt }),
	col("correlation_id", "text", func(e *Entry) string { return e.Event.Meta.CorrelationID }),
	col("trace_id", "text", func(e *Entry) pgtype.Text { return pgtype.Text{String: e.TraceID, Valid: e.TraceID != ""} }),
	col("transaction_id", "text", func(e *Entry) pgtype.Text {
		return pgtype.Text{String: e.TransactionID, Valid: e.TransactionID != ""}
	}),
	col("attempt", "integer", func(e *Entry) int32 { return int32(e.Attempt) }),
	col("raw_topic", "text", func(e *Entry) string { return e.Event.Meta.RawTopic }),
	col("raw_partition", "integer", func(e *Entry) int32 { return e.Event.Meta.RawPartition }),
	col("raw_offset", "bigint", func(e *Entry) int64 { return e.Event.Meta.RawOffset }),
	col("replay_count", "integer", func(e *Entry) int32 { return int32(e.ReplayCount) }),
}

var ledgerColumns = append(shared[:len(shared):len(shared)],
	col("occurred_at", "timestamptz", func(e *Entry) pgtype.Timestamptz {
		return pgtype.Timestamptz{Time: e.Event.Meta.OccurredAt, Valid: e.timed()}
	}),
	col("entity", "text", func(e *Entry) string { return e.Event.Entity }),
	col("entity_id", "text", func(e *Entry) string { return e.Event.ID }),
	col("business_key", "text", func(e *Entry) string { return e.Event.Meta.BusinessKey }),
	col("outcome", "text", func(e *Entry) string { return string(e.Outcome) }),
	col("deleted", "boolean", func(e *Entry) bool { return e.Event.Meta.Deleted }),
	col("version_order", "bigint", func(e *Entry) int64 { return e.Event.Meta.Version.Order }),
	col("version_generation", "integer", func(e *Entry) int32 { return e.Event.Meta.Version.Generation }),
	col("version_offset", "bigint", func(e *Entry) int64 { return e.Event.Meta.Version.Offset }),
	col("version_revision", "integer", func(e *Entry) int32 { return e.Event.Meta.Version.Revision }),
	col("event_topic", "text", func(e *Entry) string { return e.Origin.Topic }),
	col("event_partition", "integer", func(e *Entry) int32 { return e.Origin.Partition }),
	col("event_offset", "bigint", func(e *Entry) int64 { return e.Origin.Offset }),
)

var deliveryColumns = append(shared[:len(shared):len(shared)],
	col("event_topic", "text", func(e *Entry) string { return e.Read.Topic }),
	col("event_partition", "integer", func(e *Entry) int32 { return e.Read.Partition }),
	col("event_offset", "bigint", func(e *Entry) int64 { return e.Read.Offset }),
)

// target is a table that entries are written to.
type target struct {
	name    pgx.Identifier
	columns []column
	insert  string
	copy    string
}

var (
	timedEvents   = newTarget("ledger", ledgerColumns)
	untimedEvents = newTarget("ledger_untimed", ledgerColumns)
	deliveries    = newTarget("deliveries", deliveryColumns)
)

func newTarget(table string, columns []column) *target {
	t := &target{name: pgx.Identifier{"hookstream", table}, columns: columns}
	var params []string
	for i, c := range columns {
		params = append(params, fmt.Sprintf("$%d::%s[]", i+1, c.param))
	}
	t.copy = copyin.Statement(t.name, t.columnNames())
	t.insert = fmt.Sprintf("insert into %s (%s) select * from unnest(%s)", t.name.Sanitize(), strings.Join(t.columnNames(), ", "), strings.Join(params, ", "))
	return t
}

func (t *target) columnNames() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return names
}

func (t *target) values(entries []*Entry) []any {
	columns := make([]any, len(t.columns))
	for i, c := range t.columns {
		columns[i] = c.values(entries)
	}
	return columns
}

// timed reports whether the event has a time of its own. Such events are
// unique by time and identity, the others by identity alone.
func (e *Entry) timed() bool { return !e.Event.Meta.OccurredAt.IsZero() }

// seen asks by LATERAL, whose LIMIT keeps the planner at one index probe an
// event, in the one partition of its time, however large the ledger is. With the
// bounds, it plans for the batch's partitions only: planning for all of a month
// takes longer than the answer.
const seenTimed = `select b.fingerprint from unnest($1::timestamptz[], $2::bytea[]) as b (occurred_at, fingerprint)
	cross join lateral (select from hookstream.ledger l
		where l.occurred_at = b.occurred_at and l.fingerprint = b.fingerprint
			and l.occurred_at between $3::timestamptz and $4::timestamptz limit 1) as found`

const seenUntimed = `select b.fingerprint from unnest($1::bytea[]) as b (fingerprint)
	cross join lateral (select from hookstream.ledger_untimed l where l.fingerprint = b.fingerprint limit 1) as found`

// Seen queues the question which entries the ledger has already, and adds the
// answer to seen when the batch is run.
func Seen(batch *pgx.Batch, entries []*Entry, seen map[identity.Fingerprint]bool) {
	collect := func(rows pgx.Rows) error {
		var fingerprint []byte
		_, err := pgx.ForEachRow(rows, []any{&fingerprint}, func() error {
			seen[identity.Fingerprint(fingerprint)] = true
			return nil
		})
		if err != nil {
			return fmt.Errorf("look events up in the ledger: %w", err)
		}
		return nil
	}
	timed, untimed := split(entries)
	if len(timed) > 0 {
		times := make(pgtype.FlatArray[time.Time], len(timed))
		for i, e := range timed {
			times[i] = e.Event.Meta.OccurredAt
		}
		first, last := slices.MinFunc(times, time.Time.Compare), slices.MaxFunc(times, time.Time.Compare)
		batch.Queue(seenTimed, times, shared[0].values(timed), first, last).Query(collect)
	}
	if len(untimed) > 0 {
		batch.Queue(seenUntimed, shared[0].values(untimed)).Query(collect)
	}
}

// Rows are entries as they are written, once.
type Rows struct {
	copies  []*copyin.Rows
	inserts pgx.Batch
}

// Encode makes rows of the events that are new, and of the repeats as deliveries.
// Many rows of a table go by COPY; few share a round trip.
func Encode(fresh, repeats []*Entry) (*Rows, error) {
	timed, untimed := split(fresh)
	r := &Rows{}
	return r, errors.Join(r.add(timedEvents, timed), r.add(untimedEvents, untimed), r.add(deliveries, repeats))
}

func (r *Rows) add(t *target, entries []*Entry) error {
	if len(entries) < copyin.Worth {
		if len(entries) > 0 {
			r.inserts.Queue(t.insert, t.values(entries)...)
		}
		return nil
	}
	rows, err := copyin.New(t.copy, t.values(entries), len(entries))
	if err != nil {
		return fmt.Errorf("table %s: %w", t.name.Sanitize(), err)
	}
	r.copies = append(r.copies, rows)
	return nil
}

// Commit writes the rows and commits, the last of them and the commit in one round
// trip.
func (r *Rows) Commit(ctx context.Context, conn *pgx.Conn) error {
	const commit = "commit"
	for i, rows := range r.copies {
		if i == len(r.copies)-1 && r.inserts.Len() == 0 {
			return rows.Send(ctx, conn.PgConn(), commit)
		}
		if err := rows.Send(ctx, conn.PgConn()); err != nil {
			return err
		}
	}
	r.inserts.Queue(commit)
	return conn.SendBatch(ctx, &r.inserts).Close()
}

func split(entries []*Entry) (timed, untimed []*Entry) {
	for _, e := range entries {
		if e.timed() {
			timed = append(timed, e)
		} else {
			untimed = append(untimed, e)
		}
	}
	return timed, untimed
}
