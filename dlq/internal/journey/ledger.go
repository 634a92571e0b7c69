// SPDX-License-Identifier: Apache-2.0

package journey

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/record"
)

// Ledger is the sink's Postgres. It is only read.
type Ledger struct {
	conn     *pgx.Conn
	patience time.Duration
}

// NewLedger reads the ledger over conn, which stays the caller's, and waits for
// no answer longer than patience.
func NewLedger(conn *pgx.Conn, patience time.Duration) *Ledger { return &Ledger{conn, patience} }

// row is a row of the ledger, or a repeat in the deliveries.
type row struct {
	eventKey
	eventType, entity, entityID, businessKey string
	outcome                                  Status
	deleted                                  bool
	occurredAt                               *time.Time
	receivedAt                               time.Time
	publishedAt                              *time.Time
	// at is when the sink wrote it.
	at                     time.Time
	version                Version
	correlationID, traceID string
	raw, event             record.Position
	replayCount            int
	// transactionID and attempt are zero in rows from before they were kept.
	transactionID string
	attempt       int
	newest        *Newest
}

// occurred is the event's own time, or zero.
func (r *row) occurred() time.Time {
	if r.occurredAt == nil {
		return time.Time{}
	}
	return *r.occurredAt
}

// ledgerColumns and deliveryColumns are what a row is scanned from.
const (
	common          = "tenant, provider, event_id, event_type, received_at, published_at, correlation_id, coalesce(trace_id, ''), raw_topic, raw_partition, raw_offset, event_topic, event_partition, event_offset, replay_count, coalesce(transaction_id, ''), coalesce(attempt, 0)"
	ledgerColumns   = common + ", entity, entity_id, business_key, outcome, deleted, occurred_at, applied_at, version_order, version_generation, version_offset, version_revision"
	deliveryColumns = common + ", seen_at"
)

func (r *row) common() []any {
	return []any{
		&r.tenant, &r.provider, &r.id, &r.eventType, &r.receivedAt, &r.publishedAt, &r.correlationID, &r.traceID,
		&r.raw.Topic, &r.raw.Partition, &r.raw.Offset, &r.event.Topic, &r.event.Partition, &r.event.Offset, &r.replayCount, &r.transactionID, &r.attempt,
	}
}

func (r *row) ledger() []any {
	return append(r.common(), &r.entity, &r.entityID, &r.businessKey, &r.outcome, &r.deleted, &r.occurredAt, &r.at,
		&r.version.Order, &r.version.Generation, &r.version.Offset, &r.version.Revision)
}

func (r *row) delivery() []any { return append(r.common(), &r.at) }

func (l *Ledger) query(ctx context.Context, targets func(*row) []any, sql string, args ...any) ([]*row, error) {
	var out []*row
	err := l.ask(ctx, func(ctx context.Context) error {
		rows, err := l.conn.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, func(c pgx.CollectableRow) (*row, error) {
			r := &row{}
			return r, c.Scan(targets(r)...)
		})
		return err
	})
	return out, err
}

// ask bounds one question: a server that hangs, or a search that no index helps,
// must not hold up what Kafka tells.
func (l *Ledger) ask(ctx context.Context, question func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	err := question(bounded)
	switch {
	case err == nil || errors.Is(err, pgx.ErrNoRows):
		return err
	case bounded.Err() != nil && ctx.Err() == nil:
		return fmt.Errorf("read the sink's ledger: no answer within %s (--ledger-timeout; --since asks for less): %w", l.patience, err)
	}
	return fmt.Errorf("read the sink's ledger: %w", err)
}

// event is the event's row, if there is one. A zero time is that of an event
// without a time of its own.
func (l *Ledger) event(ctx context.Context, f identity.Fingerprint, occurredAt time.Time) ([]*row, error) {
	if occurredAt.IsZero() {
		return l.query(ctx, (*row).ledger, "select "+ledgerColumns+" from hookstream.ledger_untimed where fingerprint = $1", f[:])
	}
	return l.query(ctx, (*row).ledger, "select "+ledgerColumns+" from hookstream.ledger where occurred_at = $1 and fingerprint = $2", occurredAt, f[:])
}

// repeats are the deliveries that the sink found the ledger to have.
func (l *Ledger) repeats(ctx context.Context, f identity.Fingerprint) ([]*row, error) {
	return l.query(ctx, (*row).delivery, "select "+deliveryColumns+" from hookstream.deliveries where fingerprint = $1 order by seen_at", f[:])
}

// newest is the newest event that had been applied to r's entity by then, if it
// is newer.
func (l *Ledger) newest(ctx context.Context, r *row) (*Newest, error) {
	const of = `select event_id, applied_at, version_order, version_generation, version_offset, version_revision from hookstream.%s
		where tenant = $1 and provider = $2 and entity = $3 and entity_id = $4 and outcome = 'applied'
			and (version_order, version_generation, version_offset, version_revision) > ($5, $6, $7, $8) and applied_at <= $9`
	sql := "select * from (" + fmt.Sprintf(of, "ledger") + " union all " + fmt.Sprintf(of, "ledger_untimed") + ") as applied order by 3 desc, 4 desc, 5 desc, 6 desc limit 1"
	n, v := &Newest{}, r.version
	err := l.ask(ctx, func(ctx context.Context) error {
		return l.conn.QueryRow(ctx, sql, r.tenant, r.provider, r.entity, r.entityID, v.Order, v.Generation, v.Offset, v.Revision, r.at).
			Scan(&n.EventID, &n.AppliedAt, &n.Version.Order, &n.Version.Generation, &n.Version.Offset, &n.Version.Revision)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

// offsets are how far a group of sinks has applied.
func (l *Ledger) offsets(ctx context.Context, group string) (offsetsOf, error) {
	out := offsetsOf{}
	err := l.ask(ctx, func(ctx context.Context) error {
		rows, err := l.conn.Query(ctx, "select topic, partition, next_offset from hookstream.consumer_offsets where consumer_group = $1 and next_offset >= 0", group)
		if err != nil {
			return err
		}
		var at record.Position
		_, err = pgx.ForEachRow(rows, []any{&at.Topic, &at.Partition, &at.Offset}, func() error {
			if out[at.Topic] == nil {
				out[at.Topic] = map[int32]int64{}
			}
			out[at.Topic][at.Partition] = at.Offset
			return nil
		})
		return err
	})
	return out, err
}

// find searches the ledger for what the topics no longer have. Nothing but time
// is indexed for it, so the bounds are what makes it fast.
func (l *Ledger) find(ctx context.Context, m *matcher) ([]*row, error) {
	where, args := []string{"false"}, []any{}
	param := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	id := param(m.ID)
	for column, by := range map[string]By{"event_id": ByEvent, "business_key": ByKey, "entity_id": ByKey, "correlation_id": ByCorrelation, "trace_id": ByTrace} {
		if m.wants(by) {
			where = append(where, column+" = "+id)
		}
	}
	if m.hex && m.wants(ByEvent) {
		where = append(where, "encode(fingerprint, 'hex') = "+id)
	}
	filter := "(" + strings.Join(where, " or ") + ")"
	bound := func(condition string, v any, set bool) {
		if set {
			filter += " and " + fmt.Sprintf(condition, param(v))
		}
	}
	bound("tenant = %s", m.Tenant, m.Tenant != "")
	bound("provider = %s", m.Provider, m.Provider != "")
	bound("received_at >= %s", m.Since, !m.Since.IsZero())
	bound("applied_at >= %s", m.Since.Add(-slack), !m.Since.IsZero()) // which has an index
	bound("received_at <= %s", m.Until, !m.Until.IsZero())
	limit := param(m.Limit)
	const one = "select " + ledgerColumns + " from hookstream.%s where %s"
	sql := fmt.Sprintf(one, "ledger", filter) + " union all " + fmt.Sprintf(one, "ledger_untimed", filter) + " order by applied_at desc limit " + limit
	return l.query(ctx, (*row).ledger, sql, args...)
}
