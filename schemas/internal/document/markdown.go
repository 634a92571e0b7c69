// SPDX-License-Identifier: Apache-2.0

// Package document describes the public topics for the people who consume them:
// as a page and as AsyncAPI. Both are made from the schemas, so they cannot
// differ from what travels.
package document

import (
	"fmt"
	"strings"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/topic"
)

const introduction = `# Events

Generated from the schemas; do not edit. The same in machine-readable form is
[asyncapi.yaml](asyncapi.yaml).

## Topics

Every entity has a topic of its own. Records are keyed, so all events of one entity
id lie in one partition, in order.

| topic | key | value |
|---|---|---|
`

const consuming = `
## How to consume

- **Value**: Avro in the schema registry's wire format (a zero byte, the schema id in
  four bytes, the data). The subject is the topic's name and ` + "`-value`" + `.
- **Isolation**: events are written in transactions. Read with
  ` + "`isolation.level=read_committed`" + `, or you see what was taken back.
- **Once**: an event is published once. A consumer that fails between its work and its
  commit reads it again, as with any topic: apply it where its version is greater.
- **Order**: ` + "`meta.version`" + ` orders the events of one entity id and field group: compare
  ` + "`order`, `generation`, `offset`, `revision`" + ` in this order. Providers reorder, so a newer
  record may hold an older version; it is the version that counts.
- **Snapshots**: an event is the whole state of the field groups in ` + "`meta.groups`" + ` (null: of
  all). Fields of other groups are null and must be left as they are; within a group
  null means null.
- **Deletion**: ` + "`meta.deleted`" + ` marks a tombstone. Keep its version, or a late update
  brings the entity back.
- **Money** is in minor units of the ISO 4217 currency beside it. **Times** are UTC with
  microseconds. **Enums** are strings with the values that the field lists; a value that is
  none of them is null, and the provider's own word is in the field beside it.

## Evolution

A topic's schema changes only so that every version reads the data of every other
(FULL_TRANSITIVE): nullable fields are added or left out, never renamed, narrowed or made
required. The service refuses to start with a schema that breaks this, and
` + "`schemas check`" + ` says so before it is deployed. What cannot be said that way gets a new
topic, ` + "`events.<entity>.v2`" + `, beside the old one.

For example, to add ` + "`risk_score`" + ` to payments: add
` + "`{\"name\": \"risk_score\", \"type\": [\"null\", \"long\"], \"default\": null, \"doc\": \"…\"}`" + ` before
` + "`extra`" + `; old consumers skip it, and new ones read null from old records.

## Headers

CloudEvents 1.0 in Kafka's binary mode, and Hookstream's own.

| header | |
|---|---|
`

// Markdown is the page about every public topic.
func Markdown(names topic.Names, catalog provider.Catalog) (string, error) {
	metaDoc, metaRows, err := meta()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(introduction)
	for _, e := range event.Entities() {
		fmt.Fprintf(&b, "| `%s` | `tenant/provider/entity id` | [%s](#%s) |\n", names.Events(e.Name), e.Name, e.Name)
	}
	b.WriteString(consuming)
	for _, h := range eventHeaders {
		fmt.Fprintf(&b, "| `%s` | %s |\n", h.name, h.meaning)
	}
	b.WriteString("\n## meta\n\n" + metaDoc + "\n\n| field | type | |\n|---|---|---|\n")
	for _, r := range metaRows {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.name, r.kind, cell(r.doc))
	}
	for _, e := range event.Entities() {
		entity(&b, names, catalog, e)
	}
	return b.String(), nil
}

func entity(b *strings.Builder, names topic.Names, catalog provider.Catalog, e *event.Entity) {
	fmt.Fprintf(b, "\n## %s\n\nTopic `%s`. %s\n", e.Name, names.Events(e.Name), e.Doc)
	if from := sources(catalog, e.Name); len(from) > 0 {
		b.WriteString("\n| from | event types |\n|---|---|\n" + strings.Join(from, ""))
	}
	b.WriteString("\n| field | type | group | |\n|---|---|---|---|\n")
	for _, f := range e.Fields {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", f.Name, f.Kind, f.Group, cell(f.Doc))
	}
}

// sources lists which event types of which providers become the entity.
func sources(catalog provider.Catalog, entity string) []string {
	var rows []string
	for _, name := range catalog.Names() {
		var types []string
		for _, r := range catalog[name].Events {
			if r.Entity == entity {
				types = append(types, "`"+strings.Join(r.Types, "` `")+"`")
			}
		}
		if len(types) > 0 {
			rows = append(rows, fmt.Sprintf("| %s | %s |\n", catalog[name].Title, cell(strings.Join(types, " "))))
		}
	}
	return rows
}

// cell is text that fits into a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }
