// SPDX-License-Identifier: Apache-2.0

package table

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// outcomeSetting carries the outcome of UpsertEach out of its block, which
// returns nothing. It goes with the transaction.
const outcomeSetting = "hookstream.outcome"

// EachOutcome is the query for the Outcome of the last UpsertEach, as JSON.
const EachOutcome = "SELECT current_setting('" + outcomeSetting + "')"

// Outcome says what became of staged rows, by their place.
type Outcome struct {
	// Applied rows changed the table.
	Applied []int `json:"applied"`
	// Refused rows did nothing.
	Refused []Refused `json:"refused"`
}

// Refused is a row that Postgres does not take, and its error.
type Refused struct {
	Ordinal    int    `json:"ordinal"`
	Code       string `json:"code"`
	Message    string `json:"message"`
	Detail     string `json:"detail"`
	Context    string `json:"context"`
	Schema     string `json:"schema"`
	Table      string `json:"table"`
	Column     string `json:"column"`
	Constraint string `json:"constraint"`
}

// Err is the error as the server would have sent it.
func (r *Refused) Err() error {
	return &pgconn.PgError{
		Severity: "ERROR", Code: r.Code, Message: r.Message, Detail: r.Detail, Where: r.Context,
		SchemaName: r.Schema, TableName: r.Table, ColumnName: r.Column, ConstraintName: r.Constraint,
	}
}

// UpsertEach upserts what was staged one row after the other, so that a row
// that is refused does not take the others with it. It is a block that the
// server forgets, and no function: nothing has to be created, nobody has to be
// allowed to, and it always fits the table's columns. The plan of its one upsert
// is made once for all rows.
func (t *Table) UpsertEach() string { return t.sql.upsertEach }

func (t *Table) upsertEachSQL() string {
	return fmt.Sprintf(`DO $hookstream$
#variable_conflict use_column
DECLARE
    s_row record;
    s_applied integer[] := '{}';
    s_refused jsonb[] := '{}';
    s_code text; s_message text; s_detail text; s_context text; s_schema text; s_table text; s_column text; s_constraint text;
BEGIN
    FOR s_row IN SELECT * FROM %s ORDER BY %s LOOP
        BEGIN
            %s;
            IF FOUND THEN
                s_applied := s_applied || s_row.%s;
            END IF;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS s_code = RETURNED_SQLSTATE, s_message = MESSAGE_TEXT, s_detail = PG_EXCEPTION_DETAIL, s_context = PG_EXCEPTION_CONTEXT,
                s_schema = SCHEMA_NAME, s_table = TABLE_NAME, s_column = COLUMN_NAME, s_constraint = CONSTRAINT_NAME;
            s_refused := s_refused || jsonb_build_object('ordinal', s_row.%s, 'code', s_code, 'message', s_message, 'detail', s_detail, 'context', s_context,
                'schema', s_schema, 'table', s_table, 'column', s_column, 'constraint', s_constraint);
        END;
    END LOOP;
    PERFORM set_config('%s', jsonb_build_object('applied', to_jsonb(s_applied), 'refused', to_jsonb(s_refused))::text, true);
END
$hookstream$`,
		t.stage().Sanitize(), ordinal,
		t.upsertSQL("VALUES ("+t.casts("s_row")+")"),
		ordinal, ordinal, outcomeSetting)
}
