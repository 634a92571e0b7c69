// SPDX-License-Identifier: Apache-2.0

package table

import (
	"errors"
	"os"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/yamlfile"
	"github.com/hookstream/hookstream/stage/failure"
)

// Load derives the table of every entity. File, unless "", is a YAML file of
// layouts by entity; schema is that of the tables whose layout names none. What
// is wrong with the file are *yamlfile.Problems, in a Fatal error.
func Load(schema, file string) ([]*Table, error) {
	if file == "" {
		return derive(schema, nil)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, failure.NewFatal("HOOKSTREAM_TABLES_FILE: %w", err)
	}
	tables, err := parse(schema, file, data)
	if err != nil {
		return nil, failure.NewFatal("%w", err)
	}
	return tables, nil
}

func parse(schema, file string, data []byte) ([]*Table, error) {
	layouts := map[string]Layout{}
	source, err := yamlfile.Parse(file, data, &layouts)
	if err != nil {
		return nil, err
	}
	c := checker{source: source}
	c.check(schema, layouts)
	if err := errors.Join(c.problems...); err != nil {
		return nil, err
	}
	return derive(schema, layouts)
}

func derive(schema string, layouts map[string]Layout) ([]*Table, error) {
	var all []*Table
	for _, e := range event.Entities() {
		l := layouts[e.Name]
		if l.Schema == "" {
			l.Schema = schema
		}
		t, err := New(l, e)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}
