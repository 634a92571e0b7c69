// SPDX-License-Identifier: Apache-2.0

package document

import (
	"encoding/json"
	"fmt"

	"github.com/hookstream/hookstream/schemas/event"
)

// avroField is a field as an Avro schema writes it.
type avroField struct {
	Name string          `json:"name"`
	Doc  string          `json:"doc"`
	Type json.RawMessage `json:"type"`
}

// avroRecord is a record type with its fields.
type avroRecord struct {
	Doc    string      `json:"doc"`
	Fields []avroField `json:"fields"`
}

// row is a line of the table about meta.
type row struct{ name, kind, doc string }

// meta reads the Meta record out of the schema that every entity carries it in.
func meta() (doc string, rows []row, err error) {
	var entity, m avroRecord
	if err := json.Unmarshal([]byte(event.Entities()[0].Schema()), &entity); err != nil {
		return "", nil, err
	}
	if err := json.Unmarshal(entity.Fields[0].Type, &m); err != nil {
		return "", nil, err
	}
	rows, err = rowsOf("meta.", m.Fields)
	return m.Doc, rows, err
}

func rowsOf(prefix string, fields []avroField) ([]row, error) {
	var rows []row
	for _, f := range fields {
		kind, inner, err := kindOf(f.Type)
		if err != nil {
			return nil, fmt.Errorf("field %s%s: %w", prefix, f.Name, err)
		}
		rows = append(rows, row{prefix + f.Name, kind, f.Doc})
		more, err := rowsOf(prefix+f.Name+".", inner)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// kindOf names a type, and gives the fields of a record.
func kindOf(text json.RawMessage) (kind string, inner []avroField, err error) {
	var name string
	if json.Unmarshal(text, &name) == nil {
		return name, nil, nil
	}
	var union []json.RawMessage
	if json.Unmarshal(text, &union) == nil && len(union) == 2 {
		kind, inner, err = kindOf(union[1])
		return kind + " or null", inner, err
	}
	var t struct {
		Type        string          `json:"type"`
		LogicalType string          `json:"logicalType"`
		Items       json.RawMessage `json:"items"`
		avroRecord
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return "", nil, err
	}
	switch {
	case t.LogicalType == "timestamp-micros":
		return string(event.Timestamp), nil, nil
	case t.Type == "array":
		kind, _, err = kindOf(t.Items)
		return "array of " + kind, nil, err
	}
	return t.Type, t.Fields, nil
}
