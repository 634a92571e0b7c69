// SPDX-License-Identifier: Apache-2.0

// Package ledger keeps one row an event: what became of it and where it came
// from. It also tells which events were there before.
package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/record"
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
	col("correlation_id", "text", func(e *Entry) string { return e.Event.Meta.CorrelationID }),
	col("trace_id", "text", func(e *Entry) pgtype.Text { return pgtype.Text{String: e.TraceID, Valid: e.TraceID != ""} }),
	col("raw_topic", "text", func(e *Entry) string { return e.Event.Meta.RawTopic }),
	col("raw_partition", "integer", func(e *Entry) int32 { return e.Event.Meta.RawPartition }),
	col("raw_offset", "bigint", func(e *Entry) int64 { return e.Event.Meta.RawOffset }),
	col("replay_count", "integer", func(e *Entry) int32 { return int32(e.ReplayCount) }),
}

var ledgerColumns = append(shared[:len(shared):len(shared)],
	col("occurred_at", "timestamptz", func(e *Entry) pgtype.Timestamptz {
		return pgtype.Timestamptz{Time: e.Event.Meta.OccurredAt, Valid: e.timed()}
	}),
	col("published_at", "timestamptz", func(e *Entry) time.Time { return e.PublishedAt }),
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

var (
	insertTimed      = insertSQL("hookstream.ledger", ledgerColumns)
	insertUntimed    = insertSQL("hookstream.ledger_untimed", ledgerColumns)
	insertDeliveries = insertSQL("hookstream.deliveries", deliveryColumns)
)

func insertSQL(table string, columns []column) string {
	var names, params []string
	for i, c := range columns {
		names = append(names, c.name)
		params = append(params, fmt.Sprintf("$%d::%s[]", i+1, c.param))
	}
	return fmt.Sprintf("insert into %s (%s) select * from unnest(%s)", table, strings.Join(names, ", "), strings.Join(params, ", "))
}

func args(columns []column, entries []*Entry) []any {
	out := make([]any, len(columns))
	for i := range columns {
		out[i] = columns[i].values(entries)
	}
	return out
}

// timed reports whether the event has a time of its own. Such events are
// unique by time and identity, the others by identity alone.
func (e *Entry) timed() bool { return !e.Event.Meta.OccurredAt.IsZero() }

// seen asks by LATERAL, whose LIMIT keeps the planner at one index probe an
// event, in the one partition of its time, however large the ledger is.
const seenTimed = `select b.fingerprint from unnest($1::timestamptz[], $2::bytea[]) as b (occurred_at, fingerprint)
	cross join lateral (select from hookstream.ledger l
		where l.occurred_at = b.occurred_at and l.fingerprint = b.fingerprint limit 1) as found`

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
		batch.Queue(seenTimed, times, shared[0].values(timed)).Query(collect)
	}
	if len(untimed) > 0 {
		batch.Queue(seenUntimed, shared[0].values(untimed)).Query(collect)
	}
}

// Insert writes the events that are new, and the repeats as deliveries.
func Insert(ctx context.Context, tx pgx.Tx, fresh, repeats []*Entry) error {
	batch := &pgx.Batch{}
	timed, untimed := split(fresh)
	if len(timed) > 0 {
		batch.Queue(insertTimed, args(ledgerColumns, timed)...)
	}
	if len(untimed) > 0 {
		batch.Queue(insertUntimed, args(ledgerColumns, untimed)...)
	}
	if len(repeats) > 0 {
		batch.Queue(insertDeliveries, args(deliveryColumns, repeats)...)
	}
	if batch.Len() == 0 {
		return nil
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("write %d events and %d repeats to the ledger: %w", len(fresh), len(repeats), err)
	}
	return nil
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
