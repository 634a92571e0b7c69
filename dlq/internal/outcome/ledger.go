// SPDX-License-Identifier: Apache-2.0

package outcome

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
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
	// The bound above is each address's, and with and without TLS; this is for all.
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
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
const (
	source = "raw_topic, raw_partition, raw_offset, event_topic, event_partition, event_offset"

	timedSources = "select b.n, found.* from unnest($1::int[], $2::bytea[], $3::timestamptz[]) as b (n, fingerprint, occurred_at) " +
		"cross join lateral (select " + source + " from hookstream.ledger l " +
		"where l.occurred_at = b.occurred_at and l.fingerprint = b.fingerprint limit 1) as found"

	untimedSources = "select b.n, found.* from unnest($1::int[], $2::bytea[]) as b (n, fingerprint) " +
		"cross join lateral (select " + source + " from hookstream.ledger_untimed l where l.fingerprint = b.fingerprint limit 1) as found"
)

// wanted are events of one of the ledger's tables, and the places of their
// answers.
type wanted struct {
	at           []int32
	fingerprints [][]byte
	times        []time.Time
}

func (w *wanted) add(at int, e *Event) {
	w.at = append(w.at, int32(at)) //nolint:gosec // a chunk's
	w.fingerprints, w.times = append(w.fingerprints, e.Fingerprint[:]), append(w.times, e.OccurredAt)
}

// Sources looks the events up.
func (p *Postgres) Sources(ctx context.Context, events []Event) ([]*Source, error) {
	var timed, untimed wanted
	for i := range events {
		if e := &events[i]; e.OccurredAt.IsZero() {
			untimed.add(i, e)
		} else {
			timed.add(i, e)
		}
	}
	sources := make([]*Source, len(events))
	err := pgx.BeginTxFunc(ctx, p.conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := collect(ctx, tx, sources, timedSources, timed.at, timed.fingerprints, timed.times); err != nil {
			return err
		}
		return collect(ctx, tx, sources, untimedSources, untimed.at, untimed.fingerprints)
	})
	return sources, err
}

func collect(ctx context.Context, tx pgx.Tx, into []*Source, query string, args ...any) error {
	rows, err := tx.Query(ctx, query, args...)
	if err == nil {
		var at int
		var s Source
		columns := []any{&at, &s.Raw.Topic, &s.Raw.Partition, &s.Raw.Offset, &s.Event.Topic, &s.Event.Partition, &s.Event.Offset}
		_, err = pgx.ForEachRow(rows, columns, func() error {
			found := s
			into[at] = &found
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("read the sink's ledger: %w", err)
	}
	return nil
}
