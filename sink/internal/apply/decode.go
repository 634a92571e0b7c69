// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/sink/internal/ledger"
	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/failure"
)

// item is one record of a batch and the event in it.
type item struct {
	ledger.Entry
	record *kgo.Record
	table  *table.Table
	row    *row
}

// decoder reads event records.
type decoder struct {
	topics  topic.Names
	tables  map[string]*table.Table
	schemas *registry.Decoder
}

// decode reads a record. A Permanent error is the record's fault; any other
// means that the registry is away.
func (d *decoder) decode(ctx context.Context, r *kgo.Record) (*item, error) {
	envelope, err := record.ParseEvent(r)
	if err != nil {
		return nil, foreign(err)
	}
	if want, ok := d.topics.Entity(r.Topic); ok && want != envelope.Entity {
		return nil, foreign(fmt.Errorf("header %s is %.40q on the topic of %s", header.Entity, envelope.Entity, want))
	}
	ev, err := d.schemas.Decode(ctx, envelope.Entity, envelope.Value)
	var unknown *registry.Unknown
	if errors.As(err, &unknown) {
		return nil, undecodable(err)
	}
	if err != nil {
		return nil, err
	}
	t, ok := d.tables[ev.Entity]
	if !ok {
		return nil, undecodable(fmt.Errorf("entity %.40q has no table", ev.Entity))
	}
	if err := sameEvent(envelope, ev); err != nil {
		return nil, foreign(err)
	}
	if !slices.ContainsFunc(t.Entity.Groups, func(g string) bool { return table.Owns(ev, g) }) {
		return nil, undecodable(fmt.Errorf("the event is a snapshot of no field group of %s", ev.Entity))
	}
	if err := cmp.Or(storable(t.Entity, ev), text(envelope.Origin.Topic), moment(r.Timestamp)); err != nil {
		return nil, failure.NewPermanent(reason.InvalidValue, err)
	}
	return &item{
		record: r, table: t,
		Entry: ledger.Entry{
			Event:       ev,
			Fingerprint: identity.Of(ev.Meta.Tenant, ev.Meta.Provider, ev.Meta.EventID),
			Origin:      envelope.Origin, Read: record.PositionOf(r),
			PublishedAt: r.Timestamp, ReplayCount: envelope.ReplayCount, TraceID: traceID(r),
		},
	}, nil
}

func undecodable(err error) error { return failure.NewPermanent(reason.UndecodableEvent, err) }

// errForeign means that a record is not transform's, which writes every header and
// the value from one event.
var errForeign = errors.New("not an event that transform wrote")

func foreign(err error) error { return undecodable(fmt.Errorf("%w: %w", errForeign, err)) }

// sameEvent compares the envelope with the value. What routed the record must
// be what is applied.
func sameEvent(envelope *record.Event, ev *event.Event) error {
	m := &ev.Meta
	if envelope.Tenant != m.Tenant || envelope.Provider != m.Provider || envelope.EventID != m.EventID || envelope.EntityID != ev.ID {
		return errors.New("headers and key name another event than the value")
	}
	return nil
}

// maxKeyBytes keeps the primary key and the ledger's index of entities below
// what a B-tree page takes, 2704 bytes.
const maxKeyBytes = 2048

// Bounds of timestamptz, with a day to spare for time zones. Postgres reaches
// from 4713 BC to 294276 AD; a time before the common era is never meant.
var (
	firstTime = time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(294_246, 1, 1, 0, 0, 0, 0, time.UTC)
)

// storable refuses what no column could hold, before it is sent: it would
// fail the statement for every other row.
func storable(e *event.Entity, ev *event.Event) error {
	m := &ev.Meta
	if n := len(m.Tenant) + len(m.Provider) + len(ev.ID); n > maxKeyBytes {
		return fmt.Errorf("tenant, provider and id have %d bytes, more than an index takes (%d)", n, maxKeyBytes)
	}
	// Version 0 is that of a row that was never written.
	if v := m.Version; v.Order < 0 || v.Generation < 1 || v.Offset < 0 || v.Revision < 0 {
		return fmt.Errorf("version (%d, %d, %d, %d) is not a version", v.Order, v.Generation, v.Offset, v.Revision)
	}
	for _, s := range []string{m.Tenant, m.Provider, m.EventID, m.EventType, m.BusinessKey, m.CorrelationID, m.RawTopic, ev.ID} {
		if err := text(s); err != nil {
			return fmt.Errorf("meta: %w", err)
		}
	}
	for _, t := range []time.Time{m.OccurredAt, m.ReceivedAt} {
		if err := moment(t); err != nil {
			return fmt.Errorf("meta: %w", err)
		}
	}
	for i := range e.Fields {
		if err := value(ev.Value(&e.Fields[i])); err != nil {
			return fmt.Errorf("field %s: %w", e.Fields[i].Name, err)
		}
	}
	return nil
}

func value(v any) error {
	switch v := v.(type) {
	case string:
		return text(v)
	case time.Time:
		return moment(v)
	case []string:
		for _, s := range v {
			if err := text(s); err != nil {
				return err
			}
		}
	case map[string]string:
		for k, s := range v {
			if err := cmp.Or(text(k), text(s)); err != nil {
				return err
			}
		}
	}
	return nil
}

func text(s string) error {
	if strings.IndexByte(s, 0) >= 0 {
		return errors.New("contains a NUL character, which Postgres cannot store")
	}
	if !utf8.ValidString(s) {
		return errors.New("is not valid UTF-8")
	}
	return nil
}

func moment(t time.Time) error {
	if !t.IsZero() && (t.Before(firstTime) || t.After(lastTime)) {
		return errors.New("is a time outside what Postgres can store")
	}
	return nil
}

// traceID is the trace in the record's W3C traceparent, or "".
// https://www.w3.org/TR/trace-context/#traceparent-header
func traceID(r *kgo.Record) string {
	h := header.List(r.Headers)
	parent, _ := h.Get(header.TraceParent)
	parts := strings.Split(parent, "-")
	if len(parts) < 4 || len(parts[1]) != 32 || strings.Trim(parts[1], "0123456789abcdef") != "" {
		return ""
	}
	return parts[1]
}
