// SPDX-License-Identifier: Apache-2.0

package outcome

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/schemas/identity"
)

const connectTimeout = 10 * time.Second

// Postgres is the sink's ledger. It is only read, in read-only transactions.
type Postgres struct{ conn *pgx.Conn }

// OpenPostgres connects to the sink's database.
func OpenPostgres(ctx context.Context, url string) (*Postgres, error) {
	conn, err := Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	return &Postgres{conn}, nil
}

// Connect connects to the sink's database to read its ledger.
func Connect(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("HOOKSTREAM_DATABASE_URL: %w", err) // pgx hides the password
	}
	cfg.ConnectTimeout = connectTimeout
	cfg.RuntimeParams["application_name"] = "hookstream-dlq"
	// Nothing stays on the server between transactions, as PgBouncer needs it.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("read the sink's ledger (HOOKSTREAM_DATABASE_URL; unset it to go on without outcomes): %w", err)
	}
	return conn, nil
}

// Close ends the connection.
func (p *Postgres) Close(ctx context.Context) error { return p.conn.Close(ctx) }

// LATERAL and LIMIT keep the planner at one index probe an event, in the one
// partition of its time, however large the ledger is.
const appliedTimed = `select b.fingerprint, found.applied_at from unnest($1::timestamptz[], $2::bytea[]) as b (occurred_at, fingerprint)
	cross join lateral (select l.applied_at from hookstream.ledger l
		where l.occurred_at = b.occurred_at and l.fingerprint = b.fingerprint limit 1) as found`

const appliedUntimed = `select b.fingerprint, found.applied_at from unnest($1::bytea[]) as b (fingerprint)
	cross join lateral (select l.applied_at from hookstream.ledger_untimed l where l.fingerprint = b.fingerprint limit 1) as found`

// Applied looks the events up.
func (p *Postgres) Applied(ctx context.Context, events []Event) (map[identity.Fingerprint]time.Time, error) {
	var times []time.Time
	var timed, untimed [][]byte
	for i := range events {
		e := &events[i]
		if e.OccurredAt.IsZero() {
			untimed = append(untimed, e.Fingerprint[:])
			continue
		}
		times, timed = append(times, e.OccurredAt), append(timed, e.Fingerprint[:])
	}
	applied := map[identity.Fingerprint]time.Time{}
	err := pgx.BeginTxFunc(ctx, p.conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := collect(ctx, tx, applied, appliedTimed, times, timed); err != nil {
			return err
		}
		return collect(ctx, tx, applied, appliedUntimed, untimed)
	})
	return applied, err
}

func collect(ctx context.Context, tx pgx.Tx, into map[identity.Fingerprint]time.Time, query string, args ...any) error {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read the sink's ledger: %w", err)
	}
	var fingerprint []byte
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&fingerprint, &at}, func() error {
		into[identity.Fingerprint(fingerprint)] = at
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the sink's ledger: %w", err)
	}
	return nil
}
