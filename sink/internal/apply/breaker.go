// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/breaker"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
)

// judge asks the breaker about the batch, when it is known what is refused and
// before it is dead-lettered. The error is a *kafka.Hold where the breaker opens.
func (b *batch) judge(ctx context.Context) error {
	if b.store.cfg.DeadLetterAll {
		return nil
	}
	b.verdict = b.store.breaker.Judge(b.outcomes)
	b.store.metrics.open.Record(ctx, int64(len(b.verdict.Open)))
	if len(b.verdict.Open) > 0 {
		return b.hold(b.verdict.Open)
	}
	return nil
}

// outcomes are those of the batch. Every reason counts where transform made the
// record. What somebody else wrote to the topic says nothing of the tables, and what a
// person replayed is no flood.
func (b *batch) outcomes(yield func(breaker.Outcome) bool) {
	for _, it := range b.items {
		if it.ReplayCount > 0 || b.seen[it.Fingerprint] {
			continue
		}
		m := &it.Event.Meta
		kind := breaker.Kind{Tenant: m.Tenant, Provider: m.Provider, EventType: m.EventType}
		if !yield(breaker.Outcome{Kind: kind, Key: it.record.Key, Reason: failure.ReasonOf(b.poison[it])}) {
			return
		}
	}
	for _, r := range b.refused {
		if replayed(r.record) || errors.Is(r.cause, errForeign) {
			continue
		}
		if !yield(breaker.Outcome{Kind: kindOf(r.record), Key: r.record.Key, Reason: failure.ReasonOf(r.cause)}) {
			return
		}
	}
}

// kindOf is the kind of a record whose value may be unreadable.
func kindOf(r *kgo.Record) (k breaker.Kind) {
	h := header.List(r.Headers)
	k.Tenant, _ = h.Get(header.Tenant)
	k.Provider, _ = h.Get(header.Provider)
	k.EventType, _ = h.Get(header.Type)
	return k
}

func replayed(r *kgo.Record) bool {
	count, ok := header.List(r.Headers).Get(header.ReplayCount)
	return ok && count != "0"
}

// hold says which partitions must wait, and why. Only those with something that
// fails do: within a partition, order keeps all that follows waiting too.
func (b *batch) hold(open map[breaker.Kind]reason.Code) *kafka.Hold {
	h := &kafka.Hold{For: b.store.retryAfter}
	refusals := b.refusals()
	slices.SortFunc(refusals, func(x, y refusal) int { return compareRecords(x.record, y.record) })
	for _, r := range refusals {
		k := kindOf(r.record)
		if why := failure.ReasonOf(r.cause); open[k] != why || replayed(r.record) || errors.Is(r.cause, errForeign) {
			continue
		}
		if h.Reason == "" {
			h.Reason = fmt.Sprintf("most events of %s %.64s are refused with %s%s, first at %s; %s and it goes on by itself, or have all of them dead-lettered with HOOKSTREAM_SINK_DEAD_LETTER_ALL=true",
				k.Provider, k.EventType, open[k], refusedBy(r.cause), record.PositionOf(r.record), mend(open[k]))
		}
		p := kafka.Partition{Topic: r.record.Topic, Partition: r.record.Partition}
		if !slices.Contains(h.Partitions, p) {
			h.Partitions = append(h.Partitions, p)
		}
	}
	return h
}

// mend says what takes away a reason for which most events of a type are refused.
func mend(why reason.Code) string {
	switch why {
	case reason.UndecodableEvent:
		return "bring back the schema that the registry does not have"
	case reason.InvalidValue:
		return "widen the column, or correct the definition that fills it,"
	}
	return "correct the constraint or the trigger"
}

func compareRecords(x, y *kgo.Record) int {
	return cmp.Or(cmp.Compare(x.Topic, y.Topic), cmp.Compare(x.Partition, y.Partition), cmp.Compare(x.Offset, y.Offset))
}

// refusedBy names what of the database refused a row. The server's message may
// quote the row, so it is left out.
func refusedBy(cause error) string {
	var pg *pgconn.PgError
	if !errors.As(cause, &pg) {
		return ""
	}
	by := " (SQLSTATE " + pg.Code
	if pg.TableName != "" {
		by += ", table " + pg.SchemaName + "." + pg.TableName
	}
	if pg.ColumnName != "" {
		by += ", column " + pg.ColumnName
	}
	if pg.ConstraintName != "" {
		by += ", constraint " + pg.ConstraintName
	}
	return by + ")"
}
