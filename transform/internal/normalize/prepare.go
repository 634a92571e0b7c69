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
	provider string
	// event is nil where the definition drops the type.
	event    *event.Event
	identity identity.Fingerprint
	mark     identity.Mark
}

const unknownProvider = "unknown"

// prepare maps one record. It reads nothing but its arguments, so that a batch
// can be prepared in any order. An error is Permanent for this record, or
// Transient where ctx ended.
func (p *Processor) prepare(ctx context.Context, r *kgo.Record) (prepared, error) {
	out := prepared{provider: unknownProvider}
	w, err := record.ParseWebhook(r)
	if err != nil {
		return out, failure.NewPermanent(reason.InvalidRecord, err)
	}
	def, known := p.cfg.Catalog[w.Provider]
	if !known {
		return out, failure.NewPermanent(reason.UnknownProvider, fmt.Errorf("no definition of provider %.64q", w.Provider))
	}
	out.provider = w.Provider
	ev, err := def.Map(ctx, w)
	if err != nil {
		return out, mapError(err)
	}
	if ev == nil {
		return out, nil
	}
	if err := p.cfg.Bounds.check(ev, p.cfg.Now()); err != nil {
		return out, err
	}
	entity, ok := event.Lookup(ev.Entity)
	if !ok {
		return out, failure.NewPermanent(reason.MappingFailed, fmt.Errorf("no entity is called %q", ev.Entity))
	}
	out.event = ev
	out.identity = identity.Of(w.Tenant, w.Provider, w.EventID)
	out.mark = identity.NewMark(entity.Digest(ev), def.Revision)
	return out, nil
}

// mapError gives an error of the mapping its class.
func mapError(err error) error {
	var failed *mapping.Error
	if errors.As(err, &failed) {
		return failure.NewPermanent(failed.Reason, err)
	}
	return failure.NewTransient(err) // ctx ended
}
