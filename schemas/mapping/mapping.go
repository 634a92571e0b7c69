// SPDX-License-Identifier: Apache-2.0

// Package mapping runs provider definitions: it turns a stored webhook into a
// canonical event, without side effects. Transform runs it; dlq simulates with
// it.
package mapping

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/hookstream/hookstream/schemas/body"
	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// Generation is the raw topic's generation. It is raised by a migration of the
// topic's partition count, which does not exist yet.
const Generation = 1

// Error says why a webhook gives no event.
type Error struct {
	Reason reason.Code
	Err    error
}

// Error is the cause's message.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

func failed(code reason.Code, format string, args ...any) error {
	return &Error{Reason: code, Err: fmt.Errorf(format, args...)}
}

// Mapper is one compiled definition. It is safe for concurrent use.
type Mapper struct {
	def   *provider.Definition
	rules []rule
}

// rule is one compiled provider.Rule.
type rule struct {
	source *provider.Rule
	entity *event.Entity
	// requires are the ways in which a body is of the rule's types; none takes any.
	requires []requirement
	deleted  *expression
	suffix   *expression
	fields   []fieldExpression
	// shape is what the expressions read of the body.
	shape *body.Shape
	// headers is set where an expression may refer to them.
	headers bool
}

type fieldExpression struct {
	field *event.Field
	expr  *expression
}

// Compile compiles a definition's expressions. The error joins every problem,
// each with file, line, field and expression.
func Compile(def *provider.Definition) (*Mapper, error) {
	m := &Mapper{def: def}
	var errs []error
	for i := range def.Events {
		r, err := compileRule(def, i)
		if err != nil {
			errs = append(errs, err)
		}
		m.rules = append(m.rules, r)
	}
	return m, errors.Join(errs...)
}

func compileRule(def *provider.Definition, i int) (rule, error) {
	src := &def.Events[i]
	entity, _ := event.Lookup(src.Entity) // checked by provider.Parse
	r := rule{source: src, entity: entity, shape: &body.Shape{}}
	var errs []error
	compile := func(source string, at ...any) *expression {
		if source == "" {
			return nil
		}
		e, err := compileExpression(source, r.shape)
		r.headers = r.headers || strings.Contains(source, "$headers")
		if err != nil {
			errs = append(errs, def.Problem(fmt.Sprintf("%v in %q", err, source), append([]any{"events", i}, at...)...))
		}
		return e
	}
	for j, conditions := range src.Requires {
		one := make(requirement, len(conditions))
		for k := range conditions {
			one[k] = condition{&conditions[k], compile(pathExpression(conditions[k].Ref.Name), "requires", j)}
		}
		r.requires = append(r.requires, one)
	}
	r.deleted = compile(src.Deleted, "deleted")
	r.suffix = compile(src.IDSuffix, "id_suffix")
	for j := range entity.Fields {
		f := &entity.Fields[j]
		if source, ok := src.Fields[f.Name]; ok {
			r.fields = append(r.fields, fieldExpression{f, compile(source, "fields", f.Name)})
		}
	}
	return r, errors.Join(errs...)
}

// Map turns a webhook into an event. It returns nil and no error for an event
// type that the definition drops. A failure is an *Error, except when ctx
// ends.
func (m *Mapper) Map(ctx context.Context, w *record.Webhook) (*event.Event, error) {
	// The same view of the body as the edge had.
	view, err := m.def.Body.View(w.ContentType, w.Body)
	r := m.rule(w.EventType)
	// What is kept as a whole keeps the rules as a whole, and so does what the edge
	// refused or an operator may have edited.
	if err == nil && (r == nil || w.Defect != "" || w.ReplayCount > 0) {
		err = body.Validate(view)
	}
	var input any
	if err == nil && r != nil {
		input, err = r.shape.Decode(view)
	}
	switch {
	case err != nil: // it says more than the defect that the edge noted
		return nil, failed(reason.MalformedBody, "%w", err)
	case w.Defect != "" && !reason.Known(w.Defect): // or it would become a label of metrics
		return nil, failed(reason.InvalidRecord, "header %s is %.40q, which is no reason that this version knows", header.Defect, w.Defect)
	case w.Defect != "":
		return nil, failed(w.Defect, "ingest could not identify the webhook: %s", w.Defect)
	case r == nil:
		return m.unmapped(w, view)
	}
	return m.apply(ctx, r, w, input)
}

// rule finds the rule for an event type, or nil.
func (m *Mapper) rule(eventType string) *rule {
	for i := range m.rules {
		if m.rules[i].source.Types.Match(eventType) {
			return &m.rules[i]
		}
	}
	return nil
}

func (m *Mapper) apply(ctx context.Context, r *rule, w *record.Webhook, input any) (*event.Event, error) {
	var headers map[string]any
	if r.headers {
		headers = headersValue(w)
	}
	run := newRunner(newBudget(ctx), input, w.EventType, headers)

	ev := &event.Event{Entity: r.entity.Name, ID: w.BusinessKey, Fields: make([]any, len(r.entity.Fields))}
	ev.Meta = m.meta(w)
	ev.Meta.Groups = r.source.Groups
	if unmet := run.unmet(r.requires); unmet != "" {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, failed(reason.TypeMismatch, "the body is not one of %s: %s", w.EventType, unmet)
	}
	var err error
	if ev.Meta.Deleted, err = run.bool(r.deleted); err != nil {
		return nil, m.failure(ctx, w, "deleted", r.source.Deleted, err)
	}
	if r.suffix != nil {
		suffix, err := run.string(r.suffix)
		if err != nil {
			return nil, m.failure(ctx, w, "id_suffix", r.source.IDSuffix, err)
		}
		ev.ID += "/" + url.PathEscape(suffix)
	}
	for _, f := range r.fields {
		if ev.Fields[f.field.Index], err = run.field(f); err != nil {
			return nil, m.failure(ctx, w, f.field.Name, r.source.Fields[f.field.Name], err)
		}
	}
	return ev, nil
}

// failure tells a mapping error from the end of the caller's context.
func (m *Mapper) failure(ctx context.Context, w *record.Webhook, field, expr string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return failed(reason.MappingFailed, "%s revision %d: %s: field %s: %q: %w",
		m.def.Provider, m.def.Revision, w.EventType, field, expr, err)
}

// unmapped keeps an event that no rule maps as it came, one entity an event.
func (m *Mapper) unmapped(w *record.Webhook, view []byte) (*event.Event, error) {
	switch m.def.Unmapped {
	case provider.UnmappedDrop:
		return nil, nil
	case provider.UnmappedDeadLetter:
		return nil, failed(reason.Unmapped, "%s maps no event type %q", m.def.Provider, w.EventType)
	}
	ev := &event.Event{Entity: event.Generic, ID: w.BusinessKey + "/" + url.PathEscape(w.EventID), Meta: m.meta(w)}
	ev.SetField(event.GenericPayload, string(view))
	return ev, nil
}

func (m *Mapper) meta(w *record.Webhook) event.Meta {
	return event.Meta{
		EventID:       w.EventID,
		EventType:     w.EventType,
		Provider:      w.Provider,
		Tenant:        w.Tenant,
		BusinessKey:   w.BusinessKey,
		OccurredAt:    w.OccurredAt,
		ReceivedAt:    w.ReceivedAt,
		CorrelationID: w.CorrelationID,
		RawTopic:      w.Position.Topic,
		RawPartition:  w.Position.Partition,
		RawOffset:     w.Position.Offset,
		Version: event.Version{
			Order:      order(w),
			Generation: Generation,
			Offset:     w.Position.Offset,
			Revision:   m.def.Revision,
		},
	}
}

// order is what the provider orders by; where it gives neither a sequence nor
// a time, the order of receipt.
func order(w *record.Webhook) int64 {
	switch {
	case w.Sequence != nil:
		return *w.Sequence
	case !w.OccurredAt.IsZero():
		return w.OccurredAt.UnixMicro()
	}
	return w.ReceivedAt.UnixMicro()
}

func headersValue(w *record.Webhook) map[string]any {
	m := make(map[string]any, len(w.Request))
	for k, v := range w.Request {
		m[k] = v
	}
	return m
}
