// SPDX-License-Identifier: Apache-2.0

// Package header names the Kafka record headers that Hookstream reads and
// writes, and gets and sets them.
package header

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// CloudEvents 1.0 attributes in the Kafka protocol binding's binary mode
// (cloudevents/spec, kafka-protocol-binding.md, section 3.2), and the
// partitioning and correlation extensions.
const (
	SpecVersion   = "ce_specversion"
	ID            = "ce_id"
	Source        = "ce_source"
	Type          = "ce_type"
	Time          = "ce_time"
	PartitionKey  = "ce_partitionkey"
	CorrelationID = "ce_correlationid"
	ContentType   = "content-type"
)

// W3C Trace Context (https://www.w3.org/TR/trace-context/).
const (
	TraceParent = "traceparent"
	TraceState  = "tracestate"
)

// Hookstream's own headers.
const (
	RecordVersion  = "hookstream-record-version"
	Tenant         = "hookstream-tenant"
	Provider       = "hookstream-provider"
	Entity         = "hookstream-entity"
	ReceivedAt     = "hookstream-received-at"
	IdentitySource = "hookstream-identity-source"
	Sequence       = "hookstream-sequence"
	// TransactionID names the Kafka transaction in which transform wrote the
	// record, or the dead letter that it was replayed from.
	TransactionID = "hookstream-transaction-id"
	// Defect is the reason code of what was wrong with a verified webhook
	// that ingest stored all the same; transform dead-letters it.
	Defect = "hookstream-defect"
	// Verification names the scheme that verified the request, and
	// VerificationKey tells the keys of a pair apart without revealing them.
	Verification    = "hookstream-verification"
	VerificationKey = "hookstream-verification-key"
	// Remote is the IP address that the request came from, as the edge
	// believes it.
	Remote = "hookstream-remote"
	// HTTPMethod and HTTPURL are there where the signature covers them.
	HTTPMethod = "hookstream-http-method"
	HTTPURL    = "hookstream-http-url"
	// Batch headers are on the records that one request was split into, and
	// with them the request's body can be put together again byte for byte.
	// Batch is the SHA-256 of that body in hex, and which of how many records
	// this is: <sha256> <i>/<n>, from 1.
	Batch = "hookstream-batch"
	// BatchRanges are the places of the record's bytes in that body:
	// <start>-<end>, separated by commas, the end exclusive.
	BatchRanges = "hookstream-batch-ranges"
	// BatchGap are the bytes that none of the records has, those before this
	// one, in base64. Where it is absent they are a comma, and nothing before
	// the first.
	BatchGap = "hookstream-batch-gap"
	// RequestPrefix precedes the lower-case name of a request header that
	// was preserved.
	RequestPrefix = "hookstream-request-"

	// Held headers are on raw records that transform holds until a definition
	// is corrected: where the record was read from and its key, since when, and
	// why. HeldReason is absent where it only waits for earlier ones of its key.
	HeldTopic     = "hookstream-held-topic"
	HeldPartition = "hookstream-held-partition"
	HeldOffset    = "hookstream-held-offset"
	HeldKey       = "hookstream-held-key"
	HeldSince     = "hookstream-held-since"
	HeldReason    = "hookstream-held-reason"
	HeldMessage   = "hookstream-held-message"

	// Origin headers say where a replayed record was first written. That
	// position stays its place in the order.
	OriginTopic     = "hookstream-origin-topic"
	OriginPartition = "hookstream-origin-partition"
	OriginOffset    = "hookstream-origin-offset"
	// OriginTraceParent is the trace context of the record that was replayed: a
	// replay is a trace of its own, linked to that one.
	OriginTraceParent = "hookstream-origin-traceparent"
	ReplayCount       = "hookstream-replay-count"
	ReplayID          = "hookstream-replay-id"
	// EditedBy names the operator who changed the payload before a replay. The
	// original is in the dead letter, the difference in its resolution.
	EditedBy = "hookstream-edited-by"
)

// Failure headers of a dead letter. The first family is Kafka Connect's
// (KIP-298), which existing tools read; the second is ours.
const (
	ErrorTopic     = "__connect.errors.topic"
	ErrorPartition = "__connect.errors.partition"
	ErrorOffset    = "__connect.errors.offset"
	ErrorStage     = "__connect.errors.stage"
	ErrorException = "__connect.errors.exception.class.name"
	ErrorMessage   = "__connect.errors.exception.message"

	FailureClass    = "hookstream-failure-class"
	FailureReason   = "hookstream-failure-reason"
	FailureAttempts = "hookstream-failure-attempts"
	FailureFirst    = "hookstream-failure-first-at"
	FailureLast     = "hookstream-failure-last-at"
	// FailureOmitted says what of the failed record did not fit.
	FailureOmitted = "hookstream-failure-omitted"

	ServiceVersion = "hookstream-service-version"
)

// IsFailure reports whether a header was added when a record was
// dead-lettered, and so is taken off again when it is replayed.
func IsFailure(name string) bool {
	return strings.HasPrefix(name, "__connect.errors.") ||
		strings.HasPrefix(name, "hookstream-failure-") ||
		name == ServiceVersion
}

// IsHeld reports whether a header was added when a record was held, and so is
// taken off again when it is released.
func IsHeld(name string) bool { return strings.HasPrefix(name, "hookstream-held-") }

// List is a record's headers.
type List []kgo.RecordHeader

// Get returns a header's value and whether it is there. When a producer wrote
// it several times, the last one counts, as in Kafka's Headers.lastHeader.
func (l List) Get(name string) (string, bool) {
	v, ok := l.Bytes(name)
	return string(v), ok
}

// Bytes is Get without a copy.
func (l List) Bytes(name string) ([]byte, bool) {
	for i := len(l) - 1; i >= 0; i-- {
		if l[i].Key == name {
			return l[i].Value, true
		}
	}
	return nil, false
}

// Set replaces every header of that name by one.
func (l *List) Set(name, value string) {
	l.Delete(name)
	l.Add(name, value)
}

// Put replaces every header of that name by one. Unlike Set it does so in place,
// without copying: it is for a list that nobody else holds.
func (l *List) Put(name string, value []byte) {
	at := slices.IndexFunc(*l, func(h kgo.RecordHeader) bool { return h.Key == name })
	if at < 0 {
		*l = append(*l, kgo.RecordHeader{Key: name, Value: value})
		return
	}
	(*l)[at].Value = value
	rest := slices.DeleteFunc((*l)[at+1:], func(h kgo.RecordHeader) bool { return h.Key == name })
	*l = (*l)[:at+1+len(rest)]
}

// Add appends a header that is known not to be there yet.
func (l *List) Add(name, value string) {
	*l = append(*l, kgo.RecordHeader{Key: name, Value: []byte(value)})
}

// AddSet appends a header unless its value is empty.
func (l *List) AddSet(name, value string) {
	if value != "" {
		l.Add(name, value)
	}
}

// Delete removes every header of that name.
func (l *List) Delete(name string) {
	l.DeleteFunc(func(n string) bool { return n == name })
}

// spare is room for what is most often added after something was deleted.
const spare = 8

// DeleteFunc removes the headers whose name satisfies del.
func (l *List) DeleteFunc(del func(name string) bool) {
	n := 0
	for _, h := range *l {
		if !del(h.Key) {
			n++
		}
	}
	kept := make(List, 0, n+spare) // a copy: others may hold the list
	for _, h := range *l {
		if !del(h.Key) {
			kept = append(kept, h)
		}
	}
	*l = kept
}

// FormatTime writes a time as headers carry it: RFC 3339, UTC, microseconds.
func FormatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	// RFC 3339 in whole seconds is a layout that package time writes without
	// parsing it, which takes a third of the time.
	var buf [len("2006-01-02T15:04:05.000000Z")]byte
	b := t.AppendFormat(buf[:0], time.RFC3339)
	b = append(b[:len(b)-1], '.')
	micros := t.Nanosecond() / 1000
	for unit := 100_000; unit > 0; unit /= 10 {
		b = append(b, byte('0'+micros/unit%10))
	}
	return string(append(b, 'Z'))
}

// FormatInt writes an integer header.
func FormatInt[T int | int32 | int64](n T) string { return strconv.FormatInt(int64(n), 10) }
