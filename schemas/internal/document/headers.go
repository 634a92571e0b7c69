// SPDX-License-Identifier: Apache-2.0

package document

import "github.com/hookstream/hookstream/schemas/header"

// entry is a header and what it says.
type entry struct{ name, meaning string }

// eventHeaders are those of records on event topics, in the order in which a
// consumer needs them.
var eventHeaders = []entry{
	{header.SpecVersion, "CloudEvents version, `1.0`."},
	{header.ID, "Id of the event, as `meta.event_id`: with `ce_source`, what to deduplicate by."},
	{header.Source, "`/webhooks/<tenant>/<provider>`."},
	{header.Type, "Type of the event in the provider's words, as `meta.event_type`."},
	{header.Time, "When it happened, RFC 3339 in UTC; absent where the provider gives no time."},
	{header.PartitionKey, "Business key, as `meta.business_key`."},
	{header.CorrelationID, "Id that follows the delivery through logs, traces, topics and tables."},
	{header.ContentType, "Media type of the value."},
	{header.TraceParent, "W3C trace context of the span that wrote the record."},
	{header.TraceState, "W3C trace state, where there is one."},
	{header.RecordVersion, "Version of the record's layout."},
	{header.Tenant, "Tenant that the webhook was sent for."},
	{header.Provider, "Name of the provider definition."},
	{header.Entity, "Canonical entity, as in the topic's name."},
	{header.TransactionID, "Kafka transaction that the event was written in."},
	{header.ReceivedAt, "When the edge received the delivery, RFC 3339 in UTC."},
}
