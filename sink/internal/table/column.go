// SPDX-License-Identifier: Apache-2.0

package table

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/topic"
)

// column is one column that the upsert writes.
type column struct {
	name string
	// typ is the type as Postgres's format_type prints it.
	typ string
	// constraint follows the type in the definition.
	constraint string
	doc        string
	// group guards the column; "" is the key and what never changes.
	group string
	// version marks the columns that hold the group's version, the most
	// significant first. Where never is set, they may be null, which counts
	// as that.
	version bool
	never   string
	// values are the column of events as an array parameter of type param.
	// Each element is cast to typ.
	param  string
	values func([]*event.Event) any
	// lists are the values of a column of type text[], as what they are.
	lists func([]*event.Event) any
}

// appliedAt is the only column that the database fills in.
const appliedAt = "applied_at"

const appliedAtDoc = "When the sink last changed the row."

// versionPart is one of a version's four integers.
type versionPart struct {
	name, typ string
	values    func(group string) func([]*event.Event) any
}

// versionParts are a version's, the most significant first.
var versionParts = []versionPart{
	{"order", "bigint", versions(func(v event.Version) int64 { return v.Order })},
	{"generation", "integer", versions(func(v event.Version) int32 { return v.Generation })},
	{"offset", "bigint", versions(func(v event.Version) int64 { return v.Offset })},
	{"revision", "integer", versions(func(v event.Version) int32 { return v.Revision })},
}

func (p *versionPart) column(name, group string) column {
	return column{name: name, typ: p.typ, group: group, version: true, param: p.typ + "[]", values: p.values(group)}
}

// ownVersion are the version columns of a group in a table of the sink's own.
func ownVersion(e *event.Entity, group string) []column {
	prefix := "version_"
	if group != e.Groups[0] {
		prefix = group + "_version_"
	}
	var columns []column
	for i := range versionParts {
		p := &versionParts[i]
		c := p.column(prefix+p.name, group)
		c.constraint = "NOT NULL DEFAULT 0"
		c.doc = fmt.Sprintf("Version of the fields of group %s, %s; 0 where no event has written them yet.", group, p.name)
		columns = append(columns, c)
	}
	return columns
}

// packedBytes is the size of a version in one column.
const packedBytes = 8 + 4 + 8 + 4

// packedVersion is a group's version in one column. No part is negative, so
// the bytes compare as the version does.
func packedVersion(name, group string) column {
	return column{name: name, typ: "bytea", group: group, version: true, never: neverWritten, param: "bytea[]", values: func(events []*event.Event) any {
		return collect(events, func(ev *event.Event) []byte {
			packed := make([]byte, 0, packedBytes)
			if v := ev.Meta.Version; Owns(ev, group) {
				packed = binary.BigEndian.AppendUint64(packed, uint64(v.Order))      //nolint:gosec // no part is negative
				packed = binary.BigEndian.AppendUint32(packed, uint32(v.Generation)) //nolint:gosec // as above
				packed = binary.BigEndian.AppendUint64(packed, uint64(v.Offset))     //nolint:gosec // as above
				packed = binary.BigEndian.AppendUint32(packed, uint32(v.Revision))   //nolint:gosec // as above
			}
			return packed[:packedBytes]
		})
	}}
}

// joinedKey is tenant, provider and id in one column. Tenants and providers have
// no slash, so no two keys are joined to the same text.
func joinedKey() column {
	return column{name: sourceKey, typ: "text", param: "text[]", values: func(events []*event.Event) any {
		return collect(events, func(ev *event.Event) pgtype.Text {
			return validText(string(topic.Key(ev.Meta.Tenant, ev.Meta.Provider, ev.ID)))
		})
	}}
}

// ownColumns are the sink's: the key, and the event that last wrote the main
// group.
func ownColumns(group string) []column {
	text := func(name, constraint, group, doc string, get func(*event.Event) string) column {
		return column{name: name, typ: "text", constraint: constraint, group: group, doc: doc, param: "text[]",
			values: func(events []*event.Event) any {
				return collect(events, func(ev *event.Event) pgtype.Text {
					return pgtype.Text{String: get(ev), Valid: group == "" || Owns(ev, group)}
				})
			}}
	}
	when := func(name, doc string, get func(*event.Event) time.Time) column {
		return column{name: name, typ: timestamptz, group: group, doc: doc, param: timestamptz + "[]",
			values: func(events []*event.Event) any {
				return collect(events, func(ev *event.Event) pgtype.Timestamptz {
					return pgtype.Timestamptz{Time: get(ev), Valid: Owns(ev, group) && !get(ev).IsZero()}
				})
			}}
	}
	deleted := column{name: sourceDeleted, typ: "boolean", constraint: "NOT NULL DEFAULT false", group: group, param: "boolean[]",
		doc: "True when the entity was deleted at the provider. The row stays, so that a late event cannot bring it back.",
		values: func(events []*event.Event) any {
			return collect(events, func(ev *event.Event) bool { return ev.Meta.Deleted && Owns(ev, group) })
		}}
	return []column{
		text(sourceTenant, "NOT NULL", "", "Tenant that the webhook was sent for.", func(ev *event.Event) string { return ev.Meta.Tenant }),
		text(sourceProvider, "NOT NULL", "", "Provider that sent it.", func(ev *event.Event) string { return ev.Meta.Provider }),
		text(sourceID, "NOT NULL", "", "Id of the entity.", func(ev *event.Event) string { return ev.ID }),
		text("business_key", "NOT NULL", "", "Key by which the entity's events are ordered.", func(ev *event.Event) string { return ev.Meta.BusinessKey }),
		deleted,
		text("event_id", "", group, "Event that the row is the snapshot of; see hookstream.events.", func(ev *event.Event) string { return ev.Meta.EventID }),
		text("event_type", "", group, "Type of that event.", func(ev *event.Event) string { return ev.Meta.EventType }),
		when("occurred_at", "When that event happened, by the provider.", func(ev *event.Event) time.Time { return ev.Meta.OccurredAt }),
		when("received_at", "When that event was received.", func(ev *event.Event) time.Time { return ev.Meta.ReceivedAt }),
	}
}

// Owns reports whether ev is a snapshot of the field group.
func Owns(ev *event.Event, group string) bool {
	return ev.Meta.Groups == nil || slices.Contains(ev.Meta.Groups, group)
}

const timestamptz = "timestamp with time zone"

// fieldColumn gives a field the Postgres type of its kind. Arrays of arrays
// cannot be unnested, and JSON has no array that is faster than text, so these
// travel as text.
func fieldColumn(f *event.Field) column {
	c := column{name: f.Name, doc: f.Doc, group: f.Group}
	switch f.Kind {
	case event.Long:
		c.typ, c.values = "bigint", field(f, func(v int64) pgtype.Int8 { return pgtype.Int8{Int64: v, Valid: true} })
	case event.Boolean:
		c.typ, c.values = "boolean", field(f, func(v bool) pgtype.Bool { return pgtype.Bool{Bool: v, Valid: true} })
	case event.Double:
		c.typ, c.values = "double precision", field(f, func(v float64) pgtype.Float8 { return pgtype.Float8{Float64: v, Valid: true} })
	case event.Timestamp:
		c.typ, c.values = timestamptz, field(f, func(v time.Time) pgtype.Timestamptz { return pgtype.Timestamptz{Time: v, Valid: true} })
	case event.StringArray:
		c.typ, c.values = "text[]", field(f, func(v []string) pgtype.Text { return validText(arrayLiteral(v)) })
		c.lists = field(f, func(v []string) pgtype.FlatArray[string] { return v })
	case event.StringMap:
		c.typ, c.values = "jsonb", field(f, func(v map[string]string) pgtype.Text { return validText(object(v)) })
	case event.JSON:
		c.typ, c.values = "jsonb", field(f, validText)
	default:
		c.typ, c.values = "text", field(f, validText)
	}
	c.param = c.typ + "[]"
	if c.typ == "text[]" || c.typ == "jsonb" {
		c.param = "text[]"
	}
	return c
}

func collect[T any](events []*event.Event, get func(*event.Event) T) any {
	out := make(pgtype.FlatArray[T], len(events))
	for i, ev := range events {
		out[i] = get(ev)
	}
	return out
}

// field collects a field; the zero value of P is null.
func field[V, P any](f *event.Field, convert func(V) P) func([]*event.Event) any {
	return func(events []*event.Event) any {
		return collect(events, func(ev *event.Event) (p P) {
			if v, ok := ev.Value(f).(V); ok {
				p = convert(v)
			}
			return p
		})
	}
}

// versions collects one part of a group's version. A group that an event does
// not own has version 0, which is older than any real one and changes nothing.
func versions[T int32 | int64](part func(event.Version) T) func(group string) func([]*event.Event) any {
	return func(group string) func([]*event.Event) any {
		return func(events []*event.Event) any {
			return collect(events, func(ev *event.Event) (v T) {
				if Owns(ev, group) {
					v = part(ev.Meta.Version)
				}
				return v
			})
		}
	}
}

func validText(s string) pgtype.Text { return pgtype.Text{String: s, Valid: true} }

// arrayLiteral is a text[] in Postgres's notation.
func arrayLiteral(v []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, s := range v {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		b.WriteString(literalEscaper.Replace(s))
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

var literalEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func object(v map[string]string) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a map of strings always has JSON
	}
	return string(text)
}
