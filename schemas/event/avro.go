// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/avro"
)

// This file is the only one that knows the Avro library.

// Attributes of a field in the schema files.
const (
	groupProp = "hookstream.group"
	typeProp  = "hookstream.type"
)

const metaType = `"hookstream.events.v1.Meta"`

type codec struct {
	text   string
	parsed *avro.Schema
}

func (c *codec) schema() string { return c.text }

// newEntity parses an entity's schema file. The file names the Meta record;
// its definition is spliced in, because a registered schema stands alone.
func newEntity(name, meta, text string) (*Entity, error) {
	spliced, err := spliceMeta(meta, text)
	if err != nil {
		return nil, err
	}
	parsed, err := avro.Parse(spliced)
	if err != nil {
		return nil, err
	}
	root := parsed.Root()
	e := &Entity{Name: name, Doc: root.Doc, Groups: []string{name}, codec: &codec{text: spliced, parsed: parsed}}
	if len(root.Fields) < 2 || root.Fields[0].Name != "meta" || root.Fields[1].Name != "id" {
		return nil, errors.New("the first two fields must be meta and id")
	}
	if names := fieldNames(root.Fields[0].Type.Fields); !slices.Equal(names, metaFields) {
		return nil, fmt.Errorf("meta has the fields %v, and appendMeta writes %v", names, metaFields)
	}
	for _, f := range root.Fields[2:] {
		field, err := newField(name, f)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Name, err)
		}
		if !slices.Contains(e.Groups, field.Group) {
			e.Groups = append(e.Groups, field.Group)
		}
		field.Index = len(e.Fields)
		e.Fields = append(e.Fields, field)
	}
	return e, nil
}

func fieldNames(fields []avro.SchemaField) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

// spliceMeta replaces the reference to Meta by its definition and compacts the
// result, so that equal schemas are equal text in the registry.
func spliceMeta(meta, text string) (string, error) {
	var doc struct {
		Type      string            `json:"type"`
		Name      string            `json:"name"`
		Namespace string            `json:"namespace"`
		Doc       string            `json:"doc"`
		Fields    []json.RawMessage `json:"fields"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return "", err
	}
	if len(doc.Fields) == 0 {
		return "", errors.New("no fields")
	}
	var first map[string]json.RawMessage
	if err := json.Unmarshal(doc.Fields[0], &first); err != nil {
		return "", err
	}
	if string(first["type"]) != metaType {
		return "", fmt.Errorf("the first field's type is %s, want %s", first["type"], metaType)
	}
	first["type"] = json.RawMessage(meta)
	spliced, err := json.Marshal(first)
	if err != nil {
		return "", err
	}
	doc.Fields[0] = spliced
	out, err := json.Marshal(doc)
	return string(out), err
}

func newField(entity string, f avro.SchemaField) (Field, error) {
	kind, err := kindOf(&f)
	if err != nil {
		return Field{}, err
	}
	group, _ := f.Props[groupProp].(string)
	if group == "" {
		group = entity
	}
	return Field{Name: f.Name, Doc: f.Doc, Kind: kind, Group: group, nullable: f.Type.Type == "union"}, nil
}

func kindOf(f *avro.SchemaField) (Kind, error) {
	t := f.Type
	if t.Type == "union" && len(t.Branches) == 2 && t.Branches[0].Type == "null" {
		t = t.Branches[1]
	}
	switch {
	case t.Type == "string" && f.Props[typeProp] == "json":
		return JSON, nil
	case t.Type == "string":
		return String, nil
	case t.Type == "long" && t.LogicalType == "timestamp-micros":
		return Timestamp, nil
	case t.Type == "long" && t.LogicalType == "":
		return Long, nil
	case t.Type == "boolean":
		return Boolean, nil
	case t.Type == "double":
		return Double, nil
	case t.Type == "array" && t.Items.Type == "string":
		return StringArray, nil
	case t.Type == "map" && t.Values.Type == "string":
		return StringMap, nil
	}
	return "", fmt.Errorf("type %s (logical %q) is not one of the supported kinds", t.Type, t.LogicalType)
}

// Decoder reads events of one writer schema as its entity's current schema.
type Decoder struct {
	entity *Entity
	// schema is nil where the writer's is the entity's own.
	schema *avro.Schema
}

// Decoder resolves a writer schema, as the registry returns it, against e's
// own: fields that the writer did not know become null, fields that only the
// writer knows are skipped.
func (e *Entity) Decoder(writer string) (*Decoder, error) {
	w, err := avro.Parse(writer)
	if err != nil {
		return nil, fmt.Errorf("writer schema of %s: %w", e.Name, err)
	}
	if bytes.Equal(w.Canonical(), e.codec.parsed.Canonical()) {
		return &Decoder{entity: e}, nil
	}
	resolved, err := avro.Resolve(w, e.codec.parsed)
	if err != nil {
		return nil, fmt.Errorf("writer schema of %s: %w", e.Name, err)
	}
	return &Decoder{entity: e, schema: resolved}, nil
}

// Decode reads one event's Avro binary. Trailing bytes are an error.
func (d *Decoder) Decode(src []byte) (*Event, error) {
	if d.schema == nil {
		return d.entity.decode(src)
	}
	return d.decode(src)
}

// decode has the library read the event.
func (d *Decoder) decode(src []byte) (*Event, error) {
	var decoded any // not a map: the library sets an interface's fields without reflection
	rest, err := d.schema.Decode(src, &decoded)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", d.entity.Name, err)
	}
	m, ok := decoded.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("decode %s: the schema is no record", d.entity.Name)
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("decode %s: %d bytes after the record", d.entity.Name, len(rest))
	}
	ev := &Event{Entity: d.entity.Name, Fields: make([]any, len(d.entity.Fields))}
	ev.ID, _ = m["id"].(string)
	meta, _ := m["meta"].(map[string]any)
	ev.Meta = metaFromAvro(meta)
	for i := range d.entity.Fields {
		ev.Fields[i] = normalized(m[d.entity.Fields[i].Name])
	}
	return ev, nil
}

// normalized gives the generic containers that Avro decodes to the types that Event
// documents.
func normalized(v any) any {
	switch v := v.(type) {
	case []any:
		return stringSlice(v)
	case map[string]any:
		out := make(map[string]string, len(v))
		for k, s := range v {
			out[k], _ = s.(string)
		}
		return out
	}
	return v
}

func stringSlice(v []any) []string {
	out := make([]string, len(v))
	for i, s := range v {
		out[i], _ = s.(string)
	}
	return out
}

// metaFromAvro trusts the schema: Decode has checked every type.
func metaFromAvro(a map[string]any) Meta {
	m := Meta{}
	m.EventID, _ = a["event_id"].(string)
	m.EventType, _ = a["event_type"].(string)
	m.Provider, _ = a["provider"].(string)
	m.Tenant, _ = a["tenant"].(string)
	m.BusinessKey, _ = a["business_key"].(string)
	m.OccurredAt, _ = a["occurred_at"].(time.Time)
	m.ReceivedAt, _ = a["received_at"].(time.Time)
	m.CorrelationID, _ = a["correlation_id"].(string)
	m.RawTopic, _ = a["raw_topic"].(string)
	m.RawPartition, _ = a["raw_partition"].(int32)
	m.RawOffset, _ = a["raw_offset"].(int64)
	m.Deleted, _ = a["deleted"].(bool)
	if g, ok := a["groups"].([]any); ok {
		m.Groups = stringSlice(g)
	}
	if v, ok := a["version"].(map[string]any); ok {
		m.Version.Order, _ = v["order"].(int64)
		m.Version.Generation, _ = v["generation"].(int32)
		m.Version.Offset, _ = v["offset"].(int64)
		m.Version.Revision, _ = v["revision"].(int32)
	}
	return m
}

// CheckCompatible reports whether data of either schema can be read with the
// other, as FULL compatibility asks.
func CheckCompatible(a, b string) error {
	sa, err := avro.Parse(a)
	if err != nil {
		return err
	}
	sb, err := avro.Parse(b)
	if err != nil {
		return err
	}
	return errors.Join(avro.CheckCompatibility(sa, sb), avro.CheckCompatibility(sb, sa))
}
