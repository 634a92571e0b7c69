// SPDX-License-Identifier: Apache-2.0

// Package simulate maps dead letters with the definitions of now, and produces
// nothing.
package simulate

import (
	"context"
	"errors"
	"fmt"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/mapping"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/kafka"
)

// Simulator holds compiled definitions.
type Simulator struct {
	mappers map[string]*mapping.Mapper
	// maxBytes is the most that an event's record may take.
	maxBytes int
}

// New compiles the embedded definitions with those of dir laid over them. The
// error joins every problem, each with file and line. An event's record may take
// maxBytes, as in transform.
func New(dir string, maxBytes int) (*Simulator, error) {
	catalog, err := provider.Load(dir)
	if err != nil {
		return nil, err
	}
	s := &Simulator{mappers: map[string]*mapping.Mapper{}, maxBytes: maxBytes}
	var errs []error
	for name, def := range catalog {
		m, err := mapping.Compile(def)
		if err != nil {
			errs = append(errs, err)
		}
		s.mappers[name] = m
	}
	return s, errors.Join(errs...)
}

// Verdict is what would come of a dead letter.
type Verdict struct {
	// Event that would result; nil where there is none.
	Event *event.Event
	// Dropped: the definition drops events of this type.
	Dropped bool
	// Reason and Err say why it would fail again.
	Reason reason.Code
	Err    error
}

// ErrSink is why what the sink gave up cannot be simulated.
var ErrSink = errors.New("the sink gave it up: only its database can say")

// Run maps the webhook of a dead letter with payload in place of its own. An
// error says why that cannot be simulated.
func (s *Simulator) Run(ctx context.Context, l *letters.Letter, payload []byte) (Verdict, error) {
	switch {
	case l.Stage == record.StageSink:
		return Verdict{}, ErrSink
	case l.Stage != record.StageTransform:
		return Verdict{}, errors.New("it is another program's dead letter")
	case l.Omitted != "":
		return Verdict{}, errors.New("its record was too large to be kept in the dead letter")
	}
	r, err := l.Replay(l.Failed.Topic, "simulation")
	if err != nil {
		return Verdict{}, err
	}
	r.Value = payload
	w, err := record.ParseWebhook(r)
	if err != nil {
		return Verdict{Reason: reason.InvalidRecord, Err: err}, nil //nolint:nilerr // it is the verdict
	}
	m, ok := s.mappers[w.Provider]
	if !ok {
		return Verdict{Reason: reason.UnknownProvider, Err: fmt.Errorf("no definition of provider %.64q", w.Provider)}, nil
	}
	e, err := m.Map(ctx, w)
	var failed *mapping.Error
	switch {
	case errors.As(err, &failed):
		return Verdict{Reason: failed.Reason, Err: failed}, nil
	case err != nil:
		return Verdict{}, err
	}
	if e == nil {
		return Verdict{Dropped: true}, nil
	}
	return s.written(l, e)
}

// wireHeader is what the schema registry's format puts before Avro, in bytes.
const wireHeader = 5

// written is the verdict on an event that was mapped: whether it can be written,
// and whether the failure was one that mapping alone can judge.
func (s *Simulator) written(l *letters.Letter, e *event.Event) (Verdict, error) {
	entity, ok := event.Lookup(e.Entity)
	if !ok {
		return Verdict{}, fmt.Errorf("no entity %.64q", e.Entity)
	}
	value, err := entity.AppendEncode(make([]byte, wireHeader), e)
	if err != nil {
		return Verdict{Reason: reason.MappingFailed, Err: err}, nil //nolint:nilerr // it is the verdict
	}
	if size := kafka.RecordBytes(record.EventRecord("", e, value)); size > s.maxBytes {
		return Verdict{Reason: reason.TooLarge, Err: fmt.Errorf("event of %d bytes, at most %d fit", size, s.maxBytes)}, nil
	}
	switch l.Reason {
	case reason.TimeOutOfBounds, reason.IdentityConflict:
		return Verdict{}, fmt.Errorf("it failed with %s, which only transform can judge", l.Reason)
	}
	return Verdict{Event: e}, nil
}
