// SPDX-License-Identifier: Apache-2.0

package table

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/schemas/event"
)

// Held is the query for the versions that rows hold: see HeldArgs and ScanHeld.
// It tells which events are new rows and which are stale, before anything is
// written for them. LATERAL with its LIMIT keeps the planner at one index probe
// a row, however large the table is.
func (t *Table) Held() string { return t.sql.held }

// HeldArgs are the parameters of Held: the keys of events.
func (t *Table) HeldArgs(events []*event.Event) []any {
	var args []any
	for _, c := range t.keyColumns() {
		args = append(args, c.values(events))
	}
	return args
}

// ScanHeld reads the answer to Held. It calls found for each row that is there,
// with the place of its event and its version of each of the entity's groups.
func (t *Table) ScanHeld(rows pgx.Rows, found func(i int, versions []event.Version)) error {
	var place int64
	targets := []any{&place}
	versions := make([]event.Version, len(t.Entity.Groups))
	packed := make([][]byte, len(t.Entity.Groups))
	for i, g := range t.Entity.Groups {
		if v := &versions[i]; len(t.versionColumns(g)) == 1 {
			targets = append(targets, &packed[i])
		} else {
			targets = append(targets, &v.Order, &v.Generation, &v.Offset, &v.Revision)
		}
	}
	_, err := pgx.ForEachRow(rows, targets, func() error {
		for i, p := range packed {
			if p != nil {
				versions[i] = unpack(p)
			}
		}
		found(int(place)-1, versions)
		return nil
	})
	return err
}

func (t *Table) heldSQL() string {
	var params, names, matches, versions []string
	for i, c := range t.keyColumns() {
		params = append(params, fmt.Sprintf("$%d::%s", i+1, c.param))
		names = append(names, quote(c.name))
		matches = append(matches, fmt.Sprintf("t.%s = k.%s", quote(c.name), quote(c.name)))
	}
	for _, g := range t.Entity.Groups {
		for _, c := range t.versionColumns(g) {
			versions = append(versions, c.held()+"::"+c.typ) // a target may have numeric
		}
	}
	selected := strings.Join(versions, ", ")
	return fmt.Sprintf("SELECT k.%s, held.*\nFROM unnest(%s) WITH ORDINALITY AS k (%s, %s)\nCROSS JOIN LATERAL (SELECT %s FROM %s AS t WHERE %s LIMIT 1) AS held",
		ordinal, strings.Join(params, ", "), strings.Join(names, ", "), ordinal, selected, t.Name(), strings.Join(matches, " AND "))
}

// keyColumns are those of the unique key.
func (t *Table) keyColumns() []column {
	var columns []column
	for _, name := range t.key {
		for _, c := range t.columns {
			if c.name == name {
				columns = append(columns, c)
			}
		}
	}
	return columns
}

// versionColumns are those of a group, the most significant first.
func (t *Table) versionColumns(group string) []column {
	var columns []column
	for _, c := range t.columns {
		if c.group == group && c.version {
			columns = append(columns, c)
		}
	}
	return columns
}

// held is the row's value of a version column.
func (c *column) held() string {
	if c.never == "" {
		return "t." + quote(c.name)
	}
	return fmt.Sprintf("coalesce(t.%s, %s)", quote(c.name), c.never)
}

func unpack(packed []byte) event.Version {
	if len(packed) != packedBytes {
		return event.Version{} // not ours: the upsert compares the bytes
	}
	return event.Version{
		Order:      int64(binary.BigEndian.Uint64(packed)),      //nolint:gosec // a version's parts fit
		Generation: int32(binary.BigEndian.Uint32(packed[8:])),  //nolint:gosec // as above
		Offset:     int64(binary.BigEndian.Uint64(packed[12:])), //nolint:gosec // as above
		Revision:   int32(binary.BigEndian.Uint32(packed[20:])), //nolint:gosec // as above
	}
}
