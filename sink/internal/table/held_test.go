// SPDX-License-Identifier: Apache-2.0

package table

import (
	"slices"
	"testing"

	"github.com/hookstream/hookstream/schemas/event"
)

// Held finds the rows that are there and their versions, however a table keeps
// them.
func TestHeldReadsTheVersionsOfRows(t *testing.T) {
	for _, target := range payments {
		conn := connect(t)
		if _, err := conn.Exec(t.Context(), target.ddl); err != nil {
			t.Fatal(err)
		}
		table := targetTable(t, target.layout)
		there := snapshot(1772366401000000, 7, false, "charge")
		there.Meta.Version.Generation, there.Meta.Version.Revision = 3, 2
		if _, err := conn.Exec(t.Context(), table.Upsert(), table.Args([]*event.Event{there})...); err != nil {
			t.Fatal(err)
		}
		missing := snapshot(1, 1, false, "payment")
		missing.ID = "missing"
		events := []*event.Event{missing, there}
		rows, err := conn.Query(t.Context(), table.Held(), table.HeldArgs(events)...)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		err = table.ScanHeld(rows, func(i int, versions []event.Version) {
			found++
			if want := []event.Version{{}, there.Meta.Version}; events[i] != there || !slices.Equal(versions, want) {
				t.Errorf("event %d has %v, want %v", i, versions, want)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if found != 1 {
			t.Errorf("%d rows were found, want 1", found)
		}
	}
}
