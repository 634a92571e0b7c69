// SPDX-License-Identifier: Apache-2.0

package status_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookstream/hookstream/dev/internal/bridge"
	"github.com/hookstream/hookstream/dev/internal/postgres"
	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/stacktest"
	"github.com/hookstream/hookstream/dev/internal/status"
	"github.com/hookstream/hookstream/dev/internal/workload"
	"github.com/hookstream/hookstream/stage/kafkatest"
	"github.com/hookstream/hookstream/stage/runtest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestWhatIsSeenWhilePostgresIsAway: the records that wait are counted one by one,
// the reason is told, and afterwards the latency is that of the ledger.
func TestWhatIsSeenWhilePostgresIsAway(t *testing.T) {
	dir := stacktest.PublicDir(t)
	way, err := bridge.New()
	must(t, err)
	t.Cleanup(way.Close)
	start := func() *postgres.Server {
		server, err := postgres.Start(t.Context(), postgres.Options{DataDir: dir, NoSync: true})
		must(t, err)
		t.Cleanup(func() { _ = server.Stop(context.Background()) })
		must(t, way.Lead(server.URL()))
		return server
	}
	server := start()
	opts := stack.Options{
		DatabaseURL: "postgres://hookstream@" + way.Address() + "/hookstream?sslmode=disable",
		Address:     "127.0.0.1:0", RegistryAddress: "127.0.0.1:0", Secrets: workload.SecretList(), Log: slog.New(slog.DiscardHandler),
	}
	if b := kafkatest.Shared(t); b != nil {
		opts.Brokers, opts.Prefix = b.Addresses, b.Prefix
	}
	s := stacktest.Start(t, opts)
	now := time.Now()
	phases := workload.NewPlan(1, 400, workload.Run(now), now, workload.Mix{}).Phases
	send := func(events []*workload.Event) {
		sender := workload.Sender{URLs: []string{"http://" + s.Address()}, Connections: 4, Retries: 3}
		must(t, sender.Phase(t.Context(), events, func(workload.Outcome) {}))
	}
	events := phases[0]
	send(events[:len(events)/2])

	o, err := status.Observe(t.Context(), status.Source{
		Gatherer: prometheus.NewRegistry(), Kafka: &s.Kafka, Admin: s.Admin(), Database: s.Database, Log: opts.Log,
		Transform: status.Consumer{Group: s.Group, Topics: []string{s.Kafka.Topics.Raw}},
		Sink:      status.Consumer{Group: s.SinkGroup, Topics: s.SinkTopics()},
		Services:  []status.Service{{Name: "transform", URL: s.AdminURL("transform")}, {Name: "sink", URL: s.AdminURL("sink")}},
	})
	must(t, err)
	t.Cleanup(func() { o.Close(context.Background()) })
	var seen *status.Snapshot
	eventually := func(what string, ok func() bool) {
		t.Helper()
		runtest.Eventually(t, what, func() bool {
			seen, err = o.Snapshot(t.Context())
			must(t, err)
			return ok()
		})
	}
	eventually("no lag", func() bool { return seen.Lag == status.Lag{} && seen.Latency.P99 > 0 })
	before := ledger(t, s)

	must(t, server.Stop(t.Context()))
	sent := time.Now()
	send(events[len(events)/2:])
	waiting := int64(len(events) - len(events)/2)
	eventually("all that waits for the sink, and why", func() bool {
		return seen.Lag == status.Lag{Sink: waiting} && strings.HasPrefix(seen.Trouble.What, "sink: waiting for Postgres ")
	})

	start()
	eventually("no lag after the outage, and how long it took", func() bool { return seen.Lag == status.Lag{} && seen.Latency.P99 > 0 })
	if took := time.Since(sent); seen.Latency.P99 > took || seen.Latency.P50 > seen.Latency.P99 {
		t.Errorf("latency %+v, and the first was sent %s ago", seen.Latency, took)
	}
	if applied := ledger(t, s) - before; applied != waiting {
		t.Errorf("%d events waited, and %d were applied", waiting, applied)
	}
}

// ledger counts its events.
func ledger(t *testing.T, s *stack.Stack) (n int64) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.Database)
	must(t, err)
	defer conn.Close(context.Background())
	must(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM hookstream.events").Scan(&n))
	return n
}
