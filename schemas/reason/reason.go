// SPDX-License-Identifier: Apache-2.0

// Package reason is the closed set of codes that say why a record failed. A
// code is part of the contract: it is written to dead letters, logs and
// metrics, and operators filter by it.
package reason

// Code names one kind of failure.
type Code string

// Reasons of transform.
const (
	// InvalidRecord: the record on the raw topic was not written by ingest.
	InvalidRecord Code = "invalid_record"
	// UnknownProvider: no definition has the record's provider.
	UnknownProvider Code = "unknown_provider"
	// MalformedBody: the body is not valid JSON (syntax, duplicate keys,
	// invalid UTF-8, nested too deeply, trailing data).
	MalformedBody Code = "malformed_body"
	// MissingIdentity: no event id could be found in the webhook.
	MissingIdentity Code = "missing_identity"
	// MissingKey: no business key could be found in the webhook.
	MissingKey Code = "missing_key"
	// InvalidTenant: identity.tenant found what cannot name a tenant.
	InvalidTenant Code = "invalid_tenant"
	// BatchTooLarge: the body holds more items than are taken apart.
	BatchTooLarge Code = "batch_too_large"
	// TypeMismatch: the body lacks what the event type is about, or is one of
	// another type: the type may come from a header that nobody signed.
	TypeMismatch Code = "type_mismatch"
	// MappingFailed: an expression of the definition failed or gave a value
	// of the wrong type.
	MappingFailed Code = "mapping_failed"
	// Unmapped: the definition dead-letters event types it does not map.
	Unmapped Code = "unmapped"
	// IdentityConflict: an event of the same identity had other data.
	IdentityConflict Code = "identity_conflict"
	// TimeOutOfBounds: the event's own time is too far in the past or future.
	TimeOutOfBounds Code = "time_out_of_bounds"
	// TooLarge: the record would exceed what the broker accepts.
	TooLarge Code = "too_large"
)

// Reasons of the sink.
const (
	// UndecodableEvent: the value is not Avro of a known schema.
	UndecodableEvent Code = "undecodable_event"
	// InvalidValue: Postgres or the check before it refused a value
	// (SQLSTATE class 22).
	InvalidValue Code = "invalid_value"
	// ConstraintViolation: a constraint of the table refused the row
	// (SQLSTATE class 23).
	ConstraintViolation Code = "constraint_violation"
)

// Role is who can remove a cause.
type Role string

// The roles. One person can have several.
const (
	// Operators run Hookstream and Kafka.
	Operators Role = "operators"
	// Definers write provider definitions, and so the mappings.
	Definers Role = "authors of the definition"
	// Providers send the webhooks.
	Providers Role = "the provider"
	// Consumers own the tables and what is derived from them.
	Consumers Role = "owners of the tables"
)

// Info documents a code for operators.
type Info struct {
	Code Code
	// Meaning in one sentence.
	Meaning string
	// Who must act.
	Who Role
	// Act says what they must do.
	Act string
	// Replayable is whether a replay can succeed once that is done.
	Replayable bool
}

// All documents every code.
func All() []Info {
	return []Info{
		{InvalidRecord, "A record on the raw topic lacks the headers that ingest writes.", Operators, "Find the foreign producer (the record's headers and key say who); stop it. Discard.", false},
		{UnknownProvider, "No provider definition matches the record's provider.", Operators, "Deploy the definition to transform, then replay.", true},
		{MalformedBody, "The verified body is not valid JSON.", Providers, "Ask the provider; the exact bytes are in the dead letter. Mend them with dlq edit --identify, or discard.", false},
		{MissingIdentity, "No event id was found where the definition says.", Definers, "Correct identity.id in the definition, at the edge and for dlq, then replay with --identify.", false},
		{MissingKey, "No business key was found where the definition says.", Definers, "Correct identity.key in the definition, at the edge and for dlq, then replay with --identify.", false},
		{InvalidTenant, "What identity.tenant found is not a name of lower-case letters, digits and dashes, at most 63.", Definers, "Correct identity.tenant in the definition, at the edge and for dlq, then replay with --identify.", false},
		{BatchTooLarge, "The request holds more events, or takes more room when it is split, than one request may.", Providers, "Ask the provider for smaller batches; the whole body is in the dead letter. Split and send it by hand.", false},
		{TypeMismatch, "The body is not one of its event type: it lacks what the type is about, or is another type's.", Providers, "See what the provider sent. If it is genuine, correct requires in the definition, raise its revision, deploy, then replay. If the type came from an unsigned header, somebody may have sent a captured body again: discard.", true},
		{MappingFailed, "A mapping expression failed or gave a value of the wrong type.", Definers, "Correct the definition, raise its revision, deploy, then replay.", true},
		{Unmapped, "The definition dead-letters event types that it does not map.", Definers, "Map the type or discard.", true},
		{IdentityConflict, "An event with the same identity and other data was accepted before.", Providers, "Compare both; if this one is right, ask the provider to send it under its own id. Discard.", false},
		{TimeOutOfBounds, "The event's own time lies outside the accepted bounds.", Definers, "Check the time path and unit in the definition, or widen the bounds, then replay.", true},
		{TooLarge, "The resulting record exceeds max.message.bytes.", Operators, "Raise the topic's max.message.bytes and HOOKSTREAM_MAX_MESSAGE_BYTES together, then replay.", true},
		{UndecodableEvent, "The event's value is not Avro of a schema that the registry knows.", Operators, "Find the foreign producer, or restore the registry, then replay.", true},
		{InvalidValue, "A value cannot be stored in its column.", Definers, "Correct the mapping or the column, then replay.", true},
		{ConstraintViolation, "A constraint of the table refuses the row.", Consumers, "Correct the constraint or the mapping, then replay.", true},
	}
}

// Known reports whether c is in the closed set.
func Known(c Code) bool {
	for _, i := range All() {
		if i.Code == c {
			return true
		}
	}
	return false
}
