// SPDX-License-Identifier: Apache-2.0

package database

import (
	"context"
	"fmt"
	"strings"

	"github.com/hookstream/hookstream/sink/internal/sqlstate"
	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/failure"
)

// Grants are all the rights that the sink needs of a user that owns nothing.
// Partitions that are made later need no more: they are used through the ledger.
func Grants(user string, tables []*table.Table) []table.Statement {
	name := quote(user)
	ddl := []table.Statement{
		{SQL: grantTemporary(user)},
		{SQL: fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s", Schema, name)},
		{SQL: fmt.Sprintf("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO %s", Schema, name)},
	}
	for _, t := range tables {
		rights := "SELECT, INSERT, UPDATE"
		if t.Ours() {
			rights += ", DELETE" // for HOOKSTREAM_SINK_PURGE_AFTER
		}
		ddl = append(ddl,
			table.Statement{SQL: fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s", quote(t.Schema()), name)},
			table.Statement{SQL: fmt.Sprintf("GRANT %s ON %s TO %s", rights, t.Name(), name)})
	}
	return ddl
}

// grantTemporary is a block, for GRANT takes no expression, and who prints the DDL
// need not know the name of the database.
func grantTemporary(user string) string {
	return fmt.Sprintf(`DO $grant$ BEGIN
EXECUTE format('GRANT TEMPORARY ON DATABASE %%I TO %%I', current_database(), '%s');
END $grant$`, strings.ReplaceAll(user, "'", "''"))
}

// checkTemporary looks at the start for a right that is needed only once there is
// a large update or a refused row. Everybody has it, unless it was revoked.
func checkTemporary(ctx context.Context, q querier) error {
	var may bool
	var name, user string
	err := q.QueryRow(ctx, "select has_database_privilege(current_database(), 'TEMPORARY'), current_database(), current_user").Scan(&may, &name, &user)
	if err != nil {
		return sqlstate.Classify(fmt.Errorf("read the privileges of the sink's user: %w", err))
	}
	if !may {
		return failure.NewFatal("the sink's user %s may not make temporary tables, through which large updates and refused rows go: GRANT TEMPORARY ON DATABASE %s TO %s",
			user, quote(name), quote(user))
	}
	return nil
}
