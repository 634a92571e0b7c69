// SPDX-License-Identifier: Apache-2.0

package table

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// tombstones is the index by which Purge finds the rows of deleted entities. Its
// columns hardly ever change, so that updates of other rows stay in place.
func (t *Table) tombstones() Index {
	return Index{Name: cut(t.layout.Table, maxIdentifier-len("_tombstones")) + "_tombstones", Columns: t.key, Where: quote(sourceDeleted)}
}

// Purge looks at the next rows of deleted entities after a key, at most limit,
// and deletes those that were not changed since before. It moves the key, and
// reports whether there may be more.
//
// A row that comes back to life meanwhile is not deleted: Postgres looks at it
// again under its lock.
func (t *Table) Purge(ctx context.Context, tx pgx.Tx, before time.Time, after *Key, limit int) (deleted int64, more bool, err error) {
	sql := fmt.Sprintf(`WITH page AS (
    SELECT "tenant", "provider", "id" FROM %[1]s
    WHERE "deleted" AND ("tenant", "provider", "id") > ($1, $2, $3)
    ORDER BY "tenant", "provider", "id" LIMIT $4
), gone AS (
    DELETE FROM %[1]s t USING page p
    WHERE t."tenant" = p."tenant" AND t."provider" = p."provider" AND t."id" = p."id" AND t."deleted" AND t."applied_at" < $5
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM page), last.* FROM (
    SELECT "tenant", "provider", "id" FROM page ORDER BY "tenant" DESC, "provider" DESC, "id" DESC LIMIT 1) last`, t.Name())
	var looked int64
	rows, err := tx.Query(ctx, sql, after.Tenant, after.Provider, after.ID, limit, before)
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&deleted, &looked, &after.Tenant, &after.Provider, &after.ID}, func() error { return nil })
	}
	if err != nil {
		return 0, false, fmt.Errorf("purge %s: %w", t.Name(), err)
	}
	return deleted, looked == int64(limit), nil
}
