// SPDX-License-Identifier: Apache-2.0

package openapi

// field is a member of a filter, in queries and in bodies.
type field struct{ Name, Component, Text, Item string }

const text = "{type: string}"

// Schema is that of a parameter, which can be repeated where several values make
// sense.
func (f field) Schema() string {
	switch f.Name {
	case "since", "until", "from_offset", "to_offset":
		return f.Item
	}
	return "{type: array, items: " + f.Item + "}"
}

// filterFields are described here as dlq list --help describes its flags.
func filterFields() []field {
	offset := "{type: integer, format: int64, minimum: 0}"
	return []field{
		{"stage", "Stage", "Stage that gave up", "{type: string, enum: [transform, sink]}"},
		{"provider", "Provider", "Provider", text},
		{"tenant", "Tenant", "Tenant", text},
		{"type", "Type", "Event type; a glob such as charge.*", text},
		{"reason", "Reason", "Reason code", `{$ref: "#/components/schemas/Reason"}`},
		{"fingerprint", "Fingerprint", "The failure's fingerprint, or its beginning", `{type: string, pattern: "^[0-9A-Fa-f]{4,}$"}`},
		{"key", "Key", "Business key or entity id, or the whole record key", text},
		{"event_id", "EventID", "The provider's event id", text},
		{"since", "Since", `"Failed at or after: RFC 3339, a date, or an age such as 90m"`, text},
		{"until", "Until", "Failed before", text},
		{"partition", "Partition", "Partition of the dead-letter topic", "{type: integer, format: int32, minimum: 0}"},
		{"from_offset", "FromOffset", "First offset in the dead-letter topic", offset},
		{"to_offset", "ToOffset", "Offset in the dead-letter topic to stop before; 0 is none", offset},
	}
}
