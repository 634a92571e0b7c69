// SPDX-License-Identifier: Apache-2.0

package normalize

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/mapping"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/transform/internal/held"
)

// Bounds are how far an event's own time may lie from now. A version from the
// year 2099 would freeze its row.
type Bounds struct {
	// MaxAge into the past, MaxSkew into the future.
	MaxAge, MaxSkew time.Duration
}

func (b Bounds) check(ev *event.Event, now time.Time) error {
	// The receipt orders events without a time of their own.
	at, what := ev.Meta.OccurredAt, "event's own time"
	if at.IsZero() {
		at, what = ev.Meta.ReceivedAt, "time of receipt"
	}
	switch {
	case at.Before(now.Add(-b.MaxAge)):
		return failure.NewPermanent(reason.TimeOutOfBounds,
			fmt.Errorf("%s %s is more than %s (HOOKSTREAM_MAX_EVENT_AGE) ago", what, at.Format(time.RFC3339), b.MaxAge))
	case at.After(now.Add(b.MaxSkew)):
		return failure.NewPermanent(reason.TimeOutOfBounds,
			fmt.Errorf("%s %s is more than %s (HOOKSTREAM_MAX_EVENT_SKEW) ahead", what, at.Format(time.RFC3339), b.MaxSkew))
	}
	return nil
}

// prepared is what one raw record says, before it is compared with others.
type prepared struct {
	// provider is a label for metrics: one of the catalog's, or unknown.
	provider          string
	tenant, eventType string
	// err is why the record gives no event; Permanent, or Transient where
	// the context ended.
	err error
	// dropped is whether the definition drops the type. The event itself is not
	// kept: those of a whole batch would be marked by every collection.
	dropped  bool
	eventID  string
	identity identity.Fingerprint
	mark     identity.Mark
	// record of the event, or why there is none. Both are nil where the event
	// was known when the batch began.
	record *kgo.Record
	refuse error
}

const unknownProvider = held.UnknownProvider

// prepare maps one record and encodes its event. It changes nothing, so a batch
// can be prepared in any order and at once.
func (b *batch) prepare(ctx context.Context, r *kgo.Record) prepared {
	out := prepared{provider: unknownProvider}
	w, err := record.ParseWebhook(r)
	if err != nil {
		out.err = failure.NewPermanent(reason.InvalidRecord, err)
		return out
	}
	out.tenant, out.eventType = w.Tenant, w.EventType
	def, known := b.catalog[w.Provider]
	if !known {
		out.err = failure.NewPermanent(reason.UnknownProvider, fmt.Errorf("no definition of provider %.64q", w.Provider))
		return out
	}
	out.provider = w.Provider
	ev, err := b.event(ctx, def, w)
	if ev == nil {
		out.err, out.dropped = err, err == nil
		return out
	}
	out.eventID = w.EventID
	out.identity = identity.Of(w.Tenant, w.Provider, w.EventID)
	entity, _ := event.Lookup(ev.Entity)
	out.mark = identity.NewMark(entity.Digest(ev), def.Revision)
	if !b.known(r, out.identity) {
		out.record, out.refuse = b.encode(ev)
	}
	return out
}

// event maps a webhook and checks what comes out; nil is a type that the
// definition drops.
func (b *batch) event(ctx context.Context, def Definition, w *record.Webhook) (*event.Event, error) {
	ev, err := def.Map(ctx, w)
	if err != nil {
		return nil, mapError(err)
	}
	if ev == nil {
		return nil, nil
	}
	if _, ok := event.Lookup(ev.Entity); !ok {
		return nil, failure.NewPermanent(reason.MappingFailed, fmt.Errorf("no entity is called %q", ev.Entity))
	}
	if err := b.cfg.Bounds.check(ev, b.cfg.Now()); err != nil {
		return nil, err
	}
	return ev, nil
}

// mapError gives an error of the mapping its class.
func mapError(err error) error {
	var failed *mapping.Error
	if errors.As(err, &failed) {
		return failure.NewPermanent(failed.Reason, err)
	}
	return failure.NewTransient(err) // ctx ended
}
