// SPDX-License-Identifier: Apache-2.0

// Package tracing carries a webhook's trace through Kafka, from the request to
// the row, and makes its spans as OpenTelemetry's messaging conventions ask
// (version 1.43.0). docs/tracing.md lists them.
//
// What is not sampled costs next to nothing: of a record that is read only the
// flags of its traceparent are looked at, and a record that is made of it gets
// the same bytes. A record that fails is traced from then on, sampled or not.
package tracing

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/stage/failure"
)

const scope = "github.com/hookstream/hookstream/stage/tracing"

// tracer is the one of the provider in force.
func tracer() trace.Tracer {
	return otel.GetTracerProvider().Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))
}

// Attributes of our own. What has a name in the conventions has that one:
// cloudevents.event_id, cloudevents.event_type, error.type.
const (
	// Provider is the definition's name.
	Provider = attribute.Key("hookstream.provider")
	// Tenant is set only after ShowTenants.
	Tenant = attribute.Key("hookstream.tenant")
	// CorrelationID follows a delivery through logs, topics and tables.
	CorrelationID = attribute.Key("hookstream.correlation_id")
	// TransactionID is the Kafka transaction in which a record is processed.
	TransactionID = attribute.Key("hookstream.transaction.id")
	// Attempt counts from 1.
	Attempt = attribute.Key("hookstream.attempt")
	// Outcome is what became of a request or a record.
	Outcome = attribute.Key("hookstream.outcome")
	// Stage is who gave a record up, FailureClass why it was not tried again.
	Stage        = attribute.Key("hookstream.stage")
	FailureClass = attribute.Key("hookstream.failure.class")
	// Entity is the canonical one of an event.
	Entity = attribute.Key("hookstream.entity")
	// ReplayID names an operator's replay.
	ReplayID = attribute.Key("hookstream.replay.id")
	// Ranges are the offsets of a batch: topic/partition:first-last.
	Ranges = attribute.Key("hookstream.batch.ranges")
	// Sampled is how many records of a batch have a span of their own. Links
	// may be fewer.
	Sampled = attribute.Key("hookstream.batch.sampled")
)

var tenants atomic.Bool

// ShowTenants says whether spans name the tenant. It holds for the process.
func ShowTenants(show bool) { tenants.Store(show) }

// TenantAttribute is the tenant's, or nothing unless ShowTenants.
func TenantAttribute(tenant string) []attribute.KeyValue {
	if tenant == "" || !tenants.Load() {
		return nil
	}
	return []attribute.KeyValue{Tenant.String(tenant)}
}

// about says what a record is about. Keys and payloads are never attributes:
// they hold what belongs to the sender's customers.
func about(r *kgo.Record) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, 16) // room for the caller's
	for _, h := range r.Headers {
		switch h.Key {
		case header.ID:
			attrs = append(attrs, semconv.CloudEventsEventID(string(h.Value)))
		case header.Type:
			attrs = append(attrs, semconv.CloudEventsEventType(string(h.Value)))
		case header.Provider:
			attrs = append(attrs, Provider.String(string(h.Value)))
		case header.CorrelationID:
			attrs = append(attrs, CorrelationID.String(string(h.Value)))
		case header.ReplayID:
			attrs = append(attrs, ReplayID.String(string(h.Value)))
		case header.Tenant:
			attrs = append(attrs, TenantAttribute(string(h.Value))...)
		}
	}
	return attrs
}

// Of is the recorded span that r is processed in, if there is one.
func Of(r *kgo.Record) (trace.Span, bool) {
	if r.Context == nil {
		return nil, false
	}
	span := trace.SpanFromContext(r.Context)
	return span, span.IsRecording()
}

// ErrorType is a short name of what err is, from a closed set: a reason code, what
// the error's own method ErrorType says, a code of Kafka, or the failure's class. Messages are never in a
// span, because they may quote a payload.
func ErrorType(err error) string {
	if code := failure.ReasonOf(err); code != "" {
		return string(code)
	}
	var broker *kerr.Error
	var named interface{ ErrorType() string }
	switch {
	case errors.As(err, &named):
		return named.ErrorType()
	case errors.As(err, &broker):
		return broker.Message
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return failure.Of(err).String()
}

// fail marks a span as failed.
func fail(span trace.Span, err error) {
	kind := ErrorType(err)
	span.SetAttributes(semconv.ErrorTypeKey.String(kind))
	span.SetStatus(codes.Error, kind)
}
