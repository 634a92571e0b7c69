// SPDX-License-Identifier: Apache-2.0

package database

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/failure"
)

// The tables in which the sink keeps books. What they hold cannot be made again.
var books = []string{"consumer_offsets", "ledger", "ledger_untimed", "deliveries"}

const defaultPartition = Schema + ".ledger_default"

// smallBook is up to where an index is built at once; see table.
const smallBook = 64 << 20

// diffBooks looks whether what the migrations made is still there, for a migration is
// run once. What holds nothing is made again. A table that is gone may have been
// renamed, and an empty one in its place would hide that: a person decides.
func diffBooks(ctx context.Context, tx pgx.Tx) ([]table.Statement, error) {
	statements, err := migrationLines()
	if err != nil {
		return nil, err
	}
	var gone []error
	for _, name := range books {
		found, err := exists(ctx, tx, Schema+"."+name)
		if err != nil {
			return nil, err
		}
		if !found {
			gone = append(gone, failure.NewFatal("table %[1]s.%[2]s is gone: it was dropped, or it has another name. Name it back (ALTER TABLE … RENAME TO %[2]s) or restore it; to go on without what it held, run\n  %[3]s",
				Schema, name, strings.Join(about(statements, name), ";\n  ")+";"))
		}
	}
	if err := errors.Join(gone...); err != nil {
		return nil, err
	}
	ddl, err := diffDefault(ctx, tx)
	if err != nil {
		return nil, err
	}
	view, err := exists(ctx, tx, Schema+".events")
	if err != nil {
		return nil, err
	}
	if !view {
		ddl = append(ddl, table.Statement{SQL: lastView(statements), Need: table.Wanted})
	}
	indexes, err := diffBookIndexes(ctx, tx, statements)
	return append(ddl, indexes...), err
}

// diffDefault looks for the ledger's default partition, by what it is and by its name.
func diffDefault(ctx context.Context, tx pgx.Tx) ([]table.Statement, error) {
	var attached *string
	var named bool
	err := tx.QueryRow(ctx, `select (select format('%I.%I', n.nspname, c.relname) from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_namespace n on n.oid = c.relnamespace
			where i.inhparent = to_regclass($1) and pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT'), to_regclass($2) is not null`,
		Schema+".ledger", defaultPartition).Scan(&attached, &named)
	switch {
	case err != nil:
		return nil, fmt.Errorf("look for %s: %w", defaultPartition, err)
	case attached == nil && !named:
		return []table.Statement{{SQL: "CREATE TABLE " + defaultPartition + " PARTITION OF " + Schema + ".ledger DEFAULT"}}, nil
	case attached == nil:
		return nil, failure.NewFatal("table %[1]s is no partition of the ledger any more; to go on, run\n  ALTER TABLE %[2]s.ledger ATTACH PARTITION %[1]s DEFAULT;", defaultPartition, Schema)
	case *attached != defaultPartition:
		return nil, failure.NewFatal("the default partition of %[2]s.ledger is named %[3]s; to go on, run\n  ALTER TABLE %[3]s RENAME TO ledger_default;%[1]s",
			otherwise(named), Schema, *attached)
	}
	return nil, nil
}

// otherwise says what is in the way of a name that is taken.
func otherwise(taken bool) string {
	if taken {
		return "\n  -- after the table that has this name now was renamed"
	}
	return ""
}

var createdIndex = regexp.MustCompile(`^CREATE INDEX (\w+) ON (\S+)`)

func diffBookIndexes(ctx context.Context, tx pgx.Tx, statements []string) (ddl []table.Statement, err error) {
	for _, sql := range statements {
		m := createdIndex.FindStringSubmatch(sql)
		if m == nil {
			continue
		}
		var found bool
		var bytes int64
		if err := tx.QueryRow(ctx, "select to_regclass($1) is not null, (select coalesce(sum(pg_relation_size(relid)), 0)::bigint from pg_partition_tree(to_regclass($2)))",
			Schema+"."+m[1], m[2]).Scan(&found, &bytes); err != nil {
			return nil, fmt.Errorf("look for index %s.%s: %w", Schema, m[1], err)
		}
		if found {
			continue
		}
		need := table.Wanted
		if bytes > smallBook {
			need = table.Manual
		}
		ddl = append(ddl, table.Statement{SQL: strings.Replace(sql, "CREATE INDEX ", "CREATE INDEX IF NOT EXISTS ", 1), Need: need})
	}
	return ddl, nil
}

// migrationLines are the statements of all migrations, in order, without comments.
func migrationLines() ([]string, error) {
	all, err := readMigrations()
	if err != nil {
		return nil, err
	}
	var statements []string
	for i := range all {
		var text strings.Builder
		for line := range strings.Lines(all[i].sql) {
			if code, _, _ := strings.Cut(line, "--"); strings.TrimSpace(code) != "" {
				text.WriteString(strings.TrimRight(code, " \n") + "\n")
			}
		}
		for sql := range strings.SplitSeq(text.String(), ";\n") {
			if sql = strings.TrimSpace(sql); sql != "" {
				statements = append(statements, strings.TrimSuffix(sql, ";"))
			}
		}
	}
	return statements, nil
}

// about are the statements that make a table, its columns, indexes and comments.
func about(statements []string, name string) (some []string) {
	of := regexp.MustCompile(`^(CREATE TABLE|ALTER TABLE|CREATE INDEX \w+ ON|COMMENT ON TABLE|COMMENT ON COLUMN) hookstream\.` + name + `\b`)
	for _, sql := range statements {
		if of.MatchString(sql) {
			// A table that is made like another has that one's later columns.
			some = append(some, strings.ReplaceAll(sql, "ADD COLUMN ", "ADD COLUMN IF NOT EXISTS "))
		}
	}
	return some
}

func lastView(statements []string) (sql string) {
	for _, s := range statements {
		if strings.HasPrefix(s, "CREATE OR REPLACE VIEW "+Schema+".events") {
			sql = s
		}
	}
	return sql
}
