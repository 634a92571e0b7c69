// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unique"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// Span is one finished span. It is not changed after it was added to a Store.
type Span struct {
	// TraceID, SpanID and ParentID are lower-case hex. A root has no ParentID.
	TraceID, SpanID, ParentID string
	Name                      string
	// Kind is server, producer, consumer, client or internal.
	Kind string
	// Service did the work: ingest, transform, sink, dlq, or whatever another
	// program calls itself.
	Service    string
	Start, End time.Time
	// Err tells whether the span failed, Message why.
	Err        bool
	Message    string
	Attributes []Attribute
	Events     []Event
	Links      []Link
}

// Attribute is a name and a value, as text.
type Attribute struct{ Key, Value string }

// Event is something that happened within a span.
type Event struct {
	Time       time.Time
	Name       string
	Attributes []Attribute
}

// Link points to a span of this or another trace.
type Link struct {
	TraceID, SpanID string
	Attributes      []Attribute
}

// Attribute is the value of an attribute, or "".
func (s *Span) Attribute(key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value
		}
	}
	return ""
}

// Failure is a short name of what went wrong, or "" where nothing did.
func (s *Span) Failure() string {
	if !s.Err {
		return ""
	}
	return cmp.Or(s.Attribute(keyErrorType), "failed")
}

// Duration is how long it took.
func (s *Span) Duration() time.Duration { return s.End.Sub(s.Start) }

// What is kept of one span: more than the SDK's own limits let through, and an
// end for what others send.
const (
	maxAttributes = 64
	maxLinks      = 256
	maxEvents     = 64
	maxText       = 2 << 10 // bytes of a name or a value
)

// decode reads the spans of one export. Spans without ids are left out.
func decode(data *tracepb.TracesData) []*Span {
	var out []*Span
	for _, resource := range data.GetResourceSpans() {
		service := text(find(resource.GetResource().GetAttributes(), "service.name"))
		for _, scope := range resource.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				span := newSpan(s)
				if span.TraceID == "" || span.SpanID == "" {
					continue
				}
				span.Service = part(service, scope.GetScope().GetName(), span)
				out = append(out, span)
			}
		}
	}
	return out
}

func newSpan(s *tracepb.Span) *Span {
	span := &Span{
		TraceID: id(s.GetTraceId(), traceBytes), SpanID: id(s.GetSpanId(), spanBytes), ParentID: id(s.GetParentSpanId(), spanBytes),
		Name: name(s.GetName()), Kind: kind(s.GetKind()), Start: moment(s.GetStartTimeUnixNano()), End: moment(s.GetEndTimeUnixNano()),
		Err:     s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR,
		Message: cut(s.GetStatus().GetMessage()), Attributes: attributes(s.GetAttributes()),
	}
	if span.End.Before(span.Start) { // another clock's work
		span.End = span.Start
	}
	for _, e := range first(s.GetEvents(), maxEvents) {
		span.Events = append(span.Events, Event{moment(e.GetTimeUnixNano()), cut(e.GetName()), attributes(e.GetAttributes())})
	}
	for _, l := range first(s.GetLinks(), maxLinks) {
		link := Link{id(l.GetTraceId(), traceBytes), id(l.GetSpanId(), spanBytes), attributes(l.GetAttributes())}
		if link.TraceID != "" {
			span.Links = append(span.Links, link)
		}
	}
	return span
}

const (
	traceBytes = 16
	spanBytes  = 8
)

// id is b as hex, or "" for none and for what is no id. OTLP's JSON has ids in
// hex where protobuf's JSON would have base64; read as base64, hex has become
// half as long again, and encoded again it is the hex that was sent.
func id(b []byte, size int) string {
	var s string
	switch len(b) {
	case size:
		s = hex.EncodeToString(b)
	case size * 3 / 2:
		s = strings.ToLower(base64.StdEncoding.EncodeToString(b))
		if _, err := hex.DecodeString(s); err != nil {
			return ""
		}
	}
	if strings.Trim(s, "0") == "" {
		return ""
	}
	return s
}

func kind(k tracepb.Span_SpanKind) string {
	name := strings.ToLower(strings.TrimPrefix(k.String(), "SPAN_KIND_"))
	if name == "unspecified" {
		return "internal"
	}
	return name
}

func moment(unixNano uint64) time.Time { return time.Unix(0, int64(unixNano)) } //nolint:gosec // 2262 is far

func attributes(in []*commonpb.KeyValue) []Attribute {
	in = first(in, maxAttributes)
	out := make([]Attribute, len(in))
	for i, kv := range in {
		out[i] = Attribute{name(kv.GetKey()), text(kv.GetValue())}
	}
	return out
}

// name is one string for all spans that have it: there are few names.
func name(s string) string { return unique.Make(cut(s)).Value() }

func find(in []*commonpb.KeyValue, key string) *commonpb.AnyValue {
	for _, kv := range in {
		if kv.GetKey() == key {
			return kv.GetValue()
		}
	}
	return nil
}

// text renders a value for a person.
func text(v *commonpb.AnyValue) string {
	switch x := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return cut(x.StringValue)
	case *commonpb.AnyValue_BoolValue:
		return strconv.FormatBool(x.BoolValue)
	case *commonpb.AnyValue_IntValue:
		return strconv.FormatInt(x.IntValue, 10)
	case *commonpb.AnyValue_DoubleValue:
		return strconv.FormatFloat(x.DoubleValue, 'g', -1, 64)
	case *commonpb.AnyValue_BytesValue:
		return cut(hex.EncodeToString(first(x.BytesValue, maxText/2)))
	case *commonpb.AnyValue_ArrayValue:
		var parts []string
		for _, e := range first(x.ArrayValue.GetValues(), maxAttributes) {
			parts = append(parts, text(e))
		}
		return cut(strings.Join(parts, ", "))
	case *commonpb.AnyValue_KvlistValue:
		var parts []string
		for _, kv := range first(x.KvlistValue.GetValues(), maxAttributes) {
			parts = append(parts, kv.GetKey()+"="+text(kv.GetValue()))
		}
		return cut(strings.Join(parts, ", "))
	}
	return ""
}

// module begins the names of our own tracers.
const module = "github.com/hookstream/hookstream/"

var ours = []string{"ingest", "transform", "sink", "dlq"}

// part is who did the work. All services of one process share a resource, so of
// our own spans the tracer's name says it, and what stage made of whom it worked
// for.
func part(service, scope string, s *Span) string {
	rest, known := strings.CutPrefix(scope, module)
	if !known {
		return cmp.Or(service, "unknown")
	}
	module, _, _ := strings.Cut(rest, "/")
	for _, says := range []string{module, s.Attribute(keyStage), s.Attribute(keyGroup), s.Attribute(keyClientID)} {
		for _, name := range ours {
			if strings.Contains(says, name) {
				return name
			}
		}
	}
	return cmp.Or(service, module)
}

func first[T any](s []T, n int) []T { return s[:min(len(s), n)] }

// cut bounds a text and keeps it valid UTF-8. What is left of a long one is a copy:
// a part of it would keep all of it in memory.
func cut(s string) string {
	if len(s) > maxText {
		s = strings.Clone(s[:maxText])
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// spanBytesApart is about what a span takes besides its texts and their headers.
const spanBytesApart = 512

// size is about how much memory a span takes.
func (s *Span) size() limits {
	n := spanBytesApart + len(s.Message) + sizeOf(s.Attributes)
	for _, e := range s.Events {
		n += 64 + len(e.Name) + sizeOf(e.Attributes)
	}
	for _, l := range s.Links {
		n += 56 + len(l.TraceID) + len(l.SpanID) + sizeOf(l.Attributes)
	}
	return limits{spans: 1, bytes: n}
}

// sizeOf counts values only: names are shared.
func sizeOf(attributes []Attribute) (n int) {
	for _, a := range attributes {
		n += 32 + len(a.Value)
	}
	return n
}
