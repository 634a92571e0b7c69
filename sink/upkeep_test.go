// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"maps"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/sink/internal/pgtest"
	"github.com/hookstream/hookstream/stage/runtest"
)

// kept has what is left of what has an age, and of the ledger's old partitions.
func (p *pipeline) kept(t *testing.T) map[string]bool {
	t.Helper()
	rows, err := p.pool.Query(t.Context(), `select 'row ' || id from webhooks.customer
		union all select 'delivery ' || event_id from hookstream.deliveries
		union all select relname::text from pg_class where relname in ('ledger_20250101', 'ledger_20250102')`)
	must(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	kept := map[string]bool{}
	for _, name := range names {
		kept[name] = true
	}
	return kept
}

// TestServiceDeletesWhatHasExpired: by its own settings, the ledger by one and rows
// by the other.
func TestServiceDeletesWhatHasExpired(t *testing.T) {
	p := newPipeline(t, pgtest.Database(t))
	p.send(t, 0, 1)
	r := p.start(t)
	p.await(t, 1)
	r.Stop()
	p.exec(t, `insert into webhooks.customer (tenant, provider, id, business_key, deleted, applied_at)
		select 'default', 'acme', hours || 'h', '', true, now() - make_interval(hours => hours) from unnest(array[790, 850, 950]) hours`)
	p.exec(t, `insert into hookstream.deliveries (fingerprint, tenant, provider, event_id, event_type, received_at, seen_at, correlation_id,
		raw_topic, raw_partition, raw_offset, event_topic, event_partition, event_offset, replay_count)
		select '\x00', '', '', hours || 'h', '', now(), now() - make_interval(hours => hours), '', '', 0, 0, '', 0, 0, 0 from unnest(array[790, 850, 950]) hours`)
	p.exec(t, "create table hookstream.ledger_20250101 partition of hookstream.ledger for values from ('2025-01-01Z') to ('2025-01-02Z')")
	p.exec(t, "create table hookstream.ledger_20250102 partition of hookstream.ledger for values from ('2025-01-02Z') to ('2025-01-03Z')")
	// An old event that came yesterday keeps its partition.
	p.exec(t, `insert into hookstream.ledger select (jsonb_populate_record(l, jsonb_build_object('occurred_at', '2025-01-02T12:00:00Z', 'applied_at', now() - interval '1 day'))).*
		from hookstream.ledger l`)
	p.cfg.LedgerRetention, p.cfg.PurgeAfter = 800*time.Hour, 900*time.Hour
	r = p.start(t)
	want := map[string]bool{"row 0": true, "row 790h": true, "row 850h": true, "delivery 790h": true, "ledger_20250102": true}
	runtest.Eventually(t, "what has expired to be gone", func() bool { return maps.Equal(p.kept(t), want) })
	r.Stop()
}
