// SPDX-License-Identifier: Apache-2.0

package outage

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/dev/internal/check"
	"github.com/hookstream/hookstream/stage/failure"
)

// Report is the checker's verdict and how the sink caught up.
type Report struct {
	*check.Report
	OutageSeconds float64 `json:"outage_seconds"`
	// Behind is how many events waited for the database when it was back.
	Behind int `json:"behind"`
	// FirstRowSeconds is from then to the first row, CatchUpSeconds to the row
	// of the last event received during the outage.
	FirstRowSeconds float64 `json:"first_row_seconds"`
	CatchUpSeconds  float64 `json:"catch_up_seconds"`
	// NormalRate and CatchUpRate are events applied a second: before the outage,
	// and from its end until the sink had caught up, fresh ones included.
	NormalRate  float64 `json:"normal_rate"`
	CatchUpRate float64 `json:"catch_up_rate"`
}

// OK reports whether every promise held.
func (r *Report) OK() bool {
	return r.Report.OK() && r.DeadLetters == 0 && r.CatchUpRate > r.NormalRate
}

// appliedPoll is how often the ledger is asked whether the sink has caught up.
const appliedPoll = 200 * time.Millisecond

const appliedSQL = `SELECT count(*) FROM hookstream.events JOIN unnest($1::text[]) AS id ON event_id = id`

// awaitApplied waits until the ledger has the events.
func (r *run) awaitApplied(ctx context.Context, ids []string) error {
	conn, err := pgx.Connect(ctx, r.pg.URL())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for {
		var n int
		if err := conn.QueryRow(ctx, appliedSQL, ids).Scan(&n); err != nil {
			return fmt.Errorf("look for the events of the outage: %w", err)
		}
		if n == len(ids) {
			return nil
		}
		if err := failure.Sleep(ctx, appliedPoll); err != nil {
			return fmt.Errorf("%d of %d events of the outage are applied: %w", n, len(ids), err)
		}
	}
}

const measureSQL = `
WITH times AS (
	SELECT min(applied_at) AS first, min(applied_at) FILTER (WHERE applied_at >= $2) AS again,
		max(applied_at) FILTER (WHERE received_at < $2) AS caught_up
	FROM hookstream.events)
SELECT count(*) FILTER (WHERE applied_at < $1) / extract(epoch FROM $1 - first)::float8,
	count(*) FILTER (WHERE received_at < $2 AND applied_at >= $2),
	extract(epoch FROM again - $2)::float8,
	extract(epoch FROM caught_up - $2)::float8,
	count(*) FILTER (WHERE applied_at BETWEEN $2 AND caught_up) / extract(epoch FROM caught_up - $2)::float8
FROM hookstream.events, times GROUP BY first, again, caught_up`

// measure reads from the ledger when what was applied.
func (r *run) measure(ctx context.Context, report *Report) error {
	conn, err := pgx.Connect(ctx, r.pg.URL())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, measureSQL, r.away, r.back).Scan(
		&report.NormalRate, &report.Behind, &report.FirstRowSeconds, &report.CatchUpSeconds, &report.CatchUpRate)
	if err != nil {
		return fmt.Errorf("measure the outage: %w", err)
	}
	return nil
}
