// SPDX-License-Identifier: Apache-2.0

package database

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/sink/internal/table"
)

// The ledger has a partition for each day around today. Events of other days
// go to the default partition, which loses nothing.
const (
	daysBehind = 3
	daysAhead  = 7
)

const (
	partitionPrefix = "ledger_"
	dayFormat       = "20060102"
)

// partitionDays are the days that should have a partition.
func partitionDays(now time.Time) []time.Time {
	today := now.UTC().Truncate(24 * time.Hour)
	var days []time.Time
	for d := -daysBehind; d <= daysAhead; d++ {
		days = append(days, today.AddDate(0, 0, d))
	}
	return days
}

func partitionName(day time.Time) string {
	return Schema + "." + partitionPrefix + day.Format(dayFormat)
}

// createPartition makes the partition of a day, unless there is one, or the
// default partition has events of that day already: Postgres would have to
// move them, so the day stays there.
func createPartition(day time.Time) table.Statement {
	return table.Statement{Need: table.Wanted, SQL: fmt.Sprintf(`DO $partition$ BEGIN
IF to_regclass('%[1]s') IS NULL AND NOT EXISTS (
    SELECT FROM hookstream.ledger_default WHERE occurred_at >= '%[2]s' AND occurred_at < '%[3]s') AND NOT EXISTS (
    %[4]s) THEN
CREATE TABLE %[1]s PARTITION OF hookstream.ledger FOR VALUES FROM ('%[2]s') TO ('%[3]s');
END IF;
END $partition$`, partitionName(day), day.Format(time.RFC3339), day.AddDate(0, 0, 1).Format(time.RFC3339), fmt.Sprintf(covered, "'"+day.Format(time.RFC3339)+"'", "'"+day.AddDate(0, 0, 1).Format(time.RFC3339)+"'"))}
}

// covered looks for a partition that has some of a day, whatever its name is: a person
// may have renamed it, or made one of a month.
const covered = `SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
        regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \((.*)\) TO \((.*)\)') AS bound
    WHERE i.inhparent = to_regclass('hookstream.ledger') AND bound IS NOT NULL
        AND (bound[1] = 'MINVALUE' OR replace(bound[1], chr(39), '')::timestamptz < %[2]s::timestamptz)
        AND (bound[2] = 'MAXVALUE' OR replace(bound[2], chr(39), '')::timestamptz > %[1]s::timestamptz)`

// missingPartitions are statements for the days that lack one.
func missingPartitions(ctx context.Context, tx pgx.Tx, now time.Time) ([]table.Statement, error) {
	days := partitionDays(now)
	missing, err := daysWithout(ctx, tx, days)
	if err != nil {
		return nil, err
	}
	var ddl []table.Statement
	for i, day := range days {
		if missing[i] {
			ddl = append(ddl, createPartition(day))
		}
	}
	return ddl, nil
}

// daysWithout says for each day whether a partition should be created.
func daysWithout(ctx context.Context, tx pgx.Tx, days []time.Time) ([]bool, error) {
	ledger, err := exists(ctx, tx, Schema+".ledger")
	if err != nil {
		return nil, err
	}
	missing := make([]bool, len(days))
	for i, day := range days {
		if missing[i] = !ledger; !ledger {
			continue
		}
		err := tx.QueryRow(ctx, `select to_regclass($1) is null
			and not exists (select from hookstream.ledger_default where occurred_at >= $2 and occurred_at < $3)
			and not exists (`+fmt.Sprintf(covered, "$2", "$3")+`)`,
			partitionName(day), day, day.AddDate(0, 0, 1)).Scan(&missing[i])
		if err != nil {
			return nil, fmt.Errorf("look for partition %s: %w", partitionName(day), err)
		}
	}
	return missing, nil
}

func exists(ctx context.Context, q querier, relation string) (found bool, err error) {
	if err := q.QueryRow(ctx, "select to_regclass($1) is not null", relation).Scan(&found); err != nil {
		return false, fmt.Errorf("look for %s: %w", relation, err)
	}
	return found, nil
}

// expiredPartitions are statements that drop the partitions of days that are
// over for longer than retention. One that got a row since then stays: what
// was received lately can be delivered, restored or replayed again, and then its
// row must be there to say so, whatever day the event itself is of.
func expiredPartitions(ctx context.Context, tx pgx.Tx, retention time.Duration, now time.Time) ([]table.Statement, error) {
	if retention == 0 {
		return nil, nil
	}
	cutoff := now.UTC().Add(-retention)
	rows, err := tx.Query(ctx, `select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
		where i.inhparent = to_regclass($1) order by 1`, Schema+".ledger")
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list the ledger's partitions: %w", err)
	}
	var ddl []table.Statement
	for _, name := range names {
		day, err := time.Parse(dayFormat, strings.TrimPrefix(name, partitionPrefix))
		if err != nil || day.AddDate(0, 0, 1).After(cutoff) {
			continue // the default partition, one that a person made, or too young
		}
		used, err := gotEvents(ctx, tx, day, cutoff)
		if err != nil {
			return nil, err
		}
		if !used {
			ddl = append(ddl, dropPartition(day, cutoff))
		}
	}
	return ddl, nil
}

// gotEvents reports whether events of a day were written since. It looks through
// the ledger, which plans for that day's partition only: the rights that somebody
// else's user has on the ledger do not reach the partitions themselves.
func gotEvents(ctx context.Context, tx pgx.Tx, day, since time.Time) (got bool, err error) {
	err = tx.QueryRow(ctx, `select exists (select from hookstream.ledger where occurred_at >= $1 and occurred_at < $2 and applied_at >= $3)`,
		day, day.AddDate(0, 0, 1), since).Scan(&got)
	if err != nil {
		return false, fmt.Errorf("look for late events in %s: %w", partitionName(day), err)
	}
	return got, nil
}

// dropPartition looks again under the lock that keeps writers out: for late events,
// and whether another instance was faster. Writers lock the ledger before its
// partition, and so does this.
func dropPartition(day, cutoff time.Time) table.Statement {
	return table.Statement{Need: table.Wanted, SQL: fmt.Sprintf(`DO $partition$ BEGIN
LOCK TABLE ONLY hookstream.ledger IN ACCESS EXCLUSIVE MODE;
IF to_regclass('%[1]s') IS NOT NULL THEN
    IF NOT EXISTS (SELECT FROM %[1]s WHERE applied_at >= '%[2]s') THEN
        DROP TABLE %[1]s;
    END IF;
END IF;
END $partition$`, partitionName(day), cutoff.Format(time.RFC3339Nano))}
}
