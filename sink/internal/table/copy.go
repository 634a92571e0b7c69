// SPDX-License-Identifier: Apache-2.0

package table

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/sink/internal/copyin"
)

// Copies reports whether new rows can be sent as Rows. A target's columns may
// have other types than what is sent, which only the upsert converts.
func (t *Table) Copies() bool { return t.Ours() }

// Rows are events as new rows. To send them costs less than half of the upsert,
// and fails with a unique violation if one of them is there.
func (t *Table) Rows(events []*event.Event) (*copyin.Rows, error) {
	columns := make([]any, len(t.columns))
	for i, c := range t.columns {
		columns[i] = c.copied(events)
	}
	rows, err := copyin.New(t.sql.copy, columns, len(events))
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", t.Name(), err)
	}
	return rows, nil
}

// ordinal numbers the rows of a staged table.
const ordinal = "hookstream_ordinal"

// Stage sends events to a temporary table that goes with the transaction, for
// UpsertStaged and UpsertEach. What was staged before is gone.
func (t *Table) Stage(ctx context.Context, conn *pgx.Conn, events []*event.Event) error {
	numbers := make(pgtype.FlatArray[int32], len(events))
	for i := range numbers {
		numbers[i] = int32(i)
	}
	if _, err := conn.Exec(ctx, t.sql.createStage); err != nil {
		return fmt.Errorf("create a temporary table for %s: %w", t.Name(), err)
	}
	rows, err := copyin.New(t.sql.copyStage, append(t.Args(events), numbers), len(events))
	if err == nil {
		err = rows.Send(ctx, conn.PgConn())
	}
	if err != nil {
		return fmt.Errorf("temporary table for %s: %w", t.Name(), err)
	}
	return nil
}

// UpsertStaged is Upsert of what was staged.
func (t *Table) UpsertStaged() string { return t.sql.upsertStaged }

// stage is the temporary table. Its name says whose it is: pgx keeps what the
// result of a statement looks like, so one statement must not mean two tables.
func (t *Table) stage() pgx.Identifier {
	return pgx.Identifier{"pg_temp", "hookstream_" + t.Entity.Name}
}

func (t *Table) copySQL() string {
	return copyin.Statement(pgx.Identifier{t.layout.Schema, t.layout.Table}, t.columnNames())
}

func (t *Table) copyStageSQL() string {
	return copyin.Statement(t.stage(), append(t.columnNames(), ordinal))
}

func (t *Table) createStageSQL() string {
	columns := make([]string, 0, len(t.columns)+1)
	for _, c := range t.columns {
		columns = append(columns, quote(c.name)+" "+strings.TrimSuffix(c.param, "[]"))
	}
	name := t.stage().Sanitize()
	return fmt.Sprintf("DROP TABLE IF EXISTS %s; CREATE TEMPORARY TABLE %s (%s, %s integer) ON COMMIT DROP",
		name, name, strings.Join(columns, ", "), ordinal)
}

func (t *Table) upsertStagedSQL() string {
	return t.upsertSQL(fmt.Sprintf("SELECT %s FROM %s AS s", t.casts("s"), t.stage().Sanitize())) + "\nRETURNING " + t.returning()
}

// copied are the values for a COPY to the column itself, which casts nothing.
func (c *column) copied(events []*event.Event) any {
	if c.lists != nil {
		return c.lists(events)
	}
	values := c.values(events)
	if texts, ok := values.(pgtype.FlatArray[pgtype.Text]); ok && c.typ == "jsonb" {
		return copyin.JSONB(texts)
	}
	return values
}
