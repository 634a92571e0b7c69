// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"regexp"
	"slices"
	"strings"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/reason"
)

// label is one label of a metric, and what it may say.
type label struct {
	name string
	// values as the table has them.
	values string
	ok     func(value string) bool
}

// of is a label with few values.
func of(name string, values ...string) label {
	return label{name, "`" + strings.Join(values, "`, `") + "`", func(v string) bool { return slices.Contains(values, v) }}
}

// matching is a label whose values are described.
func matching(name, values, pattern string) label {
	return label{name, values, regexp.MustCompile("^(?:" + pattern + ")$").MatchString}
}

var (
	providers = label{"provider", "a definition's name, or `unknown`", func(v string) bool {
		catalog, err := provider.Load("")
		_, known := catalog[v]
		return err == nil && (known || v == "unknown")
	}}
	tenants = matching("tenant", "those with a configured secret", `[a-z0-9-]+`)
	reasons = label{"reason", "a [reason code](failures.md)", func(v string) bool { return v == "other" || reason.Known(reason.Code(v)) }}
	entity  = label{"entity", "a canonical entity", func(v string) bool { return slices.Contains(event.Names(), v) }}
	group   = matching("group", "the consumer group", `hookstream-(transform|sink)`)
	topics  = matching("topic", "a topic that the group reads", `(hookstream|events)\.[a-z0-9._]+`)
	number  = matching("partition", "its number", `[0-9]+`)
	route   = matching("route", "a path of the API, with its parameters' names, or `other`", `/[a-z0-9/{}.*-]*|other`)
	status  = matching("status", "the HTTP status", `[1-5][0-9][0-9]`)
)

// labels are those of every metric. What a sender chooses is never one.
var labels = map[string][]label{
	"hookstream.ready": {of("service", "ingest", "transform", "sink", "dlq"),
		of("part", "consumer", "database", "definitions", "definitions and secrets", "held", "kafka", "schemas", "server", "topics", "transform")},

	"hookstream.consumer.batch.records": {group},
	"hookstream.consumer.failures": {group, of("work", "batch", "claim", "restore", "background", "session"),
		matching("error_type", "a [reason code](failures.md), a Kafka error, `timeout`, `canceled`, `held`, `transient`, `fatal`", `[A-Za-z_]+`)},
	"hookstream.consumer.latency":            {group},
	"hookstream.consumer.lag":                {group, topics, number},
	"hookstream.consumer.lag.time":           {group, topics, number},
	"hookstream.consumer.partitions.waiting": {group, of("state", "restoring", "retrying", "held")},
	"hookstream.transactions":                {of("outcome", "committed", "aborted", "failed")},
	"hookstream.reloads":                     {of("files", "definitions", "definitions and secrets", "certificate", "tokens"), of("outcome", "applied", "refused")},

	"hookstream.ingest.requests":           {providers, status, answers},
	"hookstream.ingest.request.duration":   {providers, status, answers},
	"hookstream.ingest.requests.in_flight": nil,
	"hookstream.ingest.events":             {providers},
	"hookstream.ingest.defects":            {providers, reasons},
	"hookstream.ingest.produce.duration":   {of("outcome", "acknowledged", "timeout", "buffer_full", "failed")},
	"hookstream.ingest.connections":        nil,
	"hookstream.ingest.connections.shed":   {of("reason", "connections", "memory")},
	"hookstream.ingest.bodies":             nil,
	"hookstream.ingest.certificate.expiry": nil,
	"hookstream.ingest.secret.age":         {tenants, providers},

	"hookstream.transform.records":                {providers, of("outcome", "event", "duplicate", "dropped", "held", "dead-letter"), reasons},
	"hookstream.transform.breaker.open":           nil,
	"hookstream.transform.held.records":           {providers},
	"hookstream.transform.held.age":               nil,
	"hookstream.transform.dedup.entries":          nil,
	"hookstream.transform.dedup.memory":           nil,
	"hookstream.transform.dedup.window":           nil,
	"hookstream.transform.dedup.restored":         nil,
	"hookstream.transform.dedup.restore.duration": nil,

	"hookstream.sink.attempts":       {topics, number},
	"hookstream.sink.events":         {entity, of("outcome", "applied", "superseded", "stale")},
	"hookstream.sink.repeats":        nil,
	"hookstream.sink.dead_letters":   {reasons},
	"hookstream.sink.retries":        {matching("sqlstate", "an SQLSTATE, `claim`, `held` by the breaker, or `none`", `[0-9A-Z]{5}|claim|held|none`)},
	"hookstream.sink.breaker.open":   nil,
	"hookstream.sink.batch.duration": nil,
	"hookstream.sink.latency":        nil,

	"hookstream.dlq.requests":         {route, status},
	"hookstream.dlq.request.duration": {route, status},

	"hookstream.dlq.certificate.expiry": nil,
	"hookstream.dlq.tokens.age":         nil,

	"hookstream.dlq.open":       {of("stage", "transform", "sink", "other"), reasons},
	"hookstream.dlq.oldest.age": {of("stage", "transform", "sink", "other"), reasons},
	"hookstream.dlq.uncounted":  nil,
}

// answers are the outcomes of a request: a definition's handshakes and answers,
// the causes of refused signatures, the problems of docs/openapi.yaml.
var answers = of("outcome", "accepted", "handshake",
	"missing_signature", "malformed_signature", "signature_mismatch", "missing_timestamp", "malformed_timestamp",
	"timestamp_outside_tolerance", "weak_scheme", "missing_signed_part", "body_mismatch", "untrusted_certificate", "claim_mismatch", "verify_token_mismatch",
	"not_found", "method_not_allowed", "too_large", "unsupported_encoding", "request_timeout", "unreadable_body", "invalid_signature",
	"forbidden", "rate_limited", "overloaded", "keys_unavailable", "not_acknowledged", "not_confirmed")
