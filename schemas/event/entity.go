// SPDX-License-Identifier: Apache-2.0

package event

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
)

//go:embed meta.avsc entities/*.avsc
var schemaFiles embed.FS

// Kind is the type of an entity's field.
type Kind string

// The kinds. JSON is an Avro string that holds JSON text.
const (
	String      Kind = "string"
	Long        Kind = "long"
	Boolean     Kind = "boolean"
	Double      Kind = "double"
	Timestamp   Kind = "timestamp"
	StringArray Kind = "array of strings"
	StringMap   Kind = "map of strings"
	JSON        Kind = "json"
)

// Field is one field of an entity, beside meta and id.
type Field struct {
	Name string
	Doc  string
	Kind Kind
	// Index is the field's place in Entity.Fields and in Event.Fields.
	Index int
	// Group is the field group that the field belongs to.
	Group string
	// nullable is false for extra alone, which is empty instead.
	nullable bool
}

// Entity is one canonical model.
type Entity struct {
	Name   string
	Doc    string
	Fields []Field
	// Groups lists the field groups; the first is the main one, which bears
	// the entity's name.
	Groups []string
	codec  *codec
}

// Field returns the field of that name.
func (e *Entity) Field(name string) (*Field, bool) {
	i := slices.IndexFunc(e.Fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return nil, false
	}
	return &e.Fields[i], true
}

// Schema is the entity's Avro schema as JSON, with Meta spliced in.
func (e *Entity) Schema() string { return e.codec.schema() }

// Generic is the entity of event types that no definition maps, and
// GenericPayload its field that holds the body as it came.
const (
	Generic        = "generic"
	GenericPayload = "payload"
)

var load = sync.OnceValues(loadEntities)

// Entities lists the canonical entities by name.
func Entities() []*Entity {
	all, err := load()
	if err != nil {
		// The schemas are embedded; a test loads them all.
		panic(err)
	}
	return all
}

// Names lists the names of the canonical entities.
func Names() []string {
	var names []string
	for _, e := range Entities() {
		names = append(names, e.Name)
	}
	return names
}

// Lookup returns the entity of that name.
func Lookup(name string) (*Entity, bool) {
	for _, e := range Entities() {
		if e.Name == name {
			return e, true
		}
	}
	return nil, false
}

func loadEntities() ([]*Entity, error) {
	meta, err := schemaFiles.ReadFile("meta.avsc")
	if err != nil {
		return nil, err
	}
	files, err := schemaFiles.ReadDir("entities")
	if err != nil {
		return nil, err
	}
	var all []*Entity
	for _, f := range files {
		text, err := schemaFiles.ReadFile(path.Join("entities", f.Name()))
		if err != nil {
			return nil, err
		}
		e, err := newEntity(strings.TrimSuffix(f.Name(), ".avsc"), string(meta), string(text))
		if err != nil {
			return nil, fmt.Errorf("schema entities/%s: %w", f.Name(), err)
		}
		all = append(all, e)
	}
	return all, nil
}
