// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/schemas/setting"
	"github.com/hookstream/hookstream/sink/internal/database"
	"github.com/hookstream/hookstream/sink/internal/pgtest"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/kafkatest"
	"github.com/hookstream/hookstream/stage/runtest"
)

func TestMain(m *testing.M) { pgtest.Main(m.Run) }

// pipeline is everything around the sink.
type pipeline struct {
	broker  *kafkatest.Broker
	cfg     Config
	client  *kgo.Client
	encoder *registry.Encoder
	pool    *pgxpool.Pool
	log     *slog.Logger
}

func newPipeline(t *testing.T, databaseURL string) *pipeline {
	t.Helper()
	broker := kafkatest.New(t)
	reg := srfake.New()
	t.Cleanup(reg.Close)
	p := &pipeline{broker: broker, log: slog.New(slog.DiscardHandler)}
	if os.Getenv("HOOKSTREAM_TEST_LOG") != "" {
		p.log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	must(t, Info.Defaults(&p.cfg))
	p.cfg.Kafka.Brokers, p.cfg.Kafka.Topics, p.cfg.Kafka.Partitions = broker.Addresses, broker.Topics(), 2
	p.cfg.Group = broker.Name(p.cfg.Group)
	p.cfg.DatabaseURL, p.cfg.Registry.URL, p.cfg.AdminAddress = setting.Secret(databaseURL), reg.URL(), "127.0.0.1:0"
	var err error
	p.pool, err = database.Open(t.Context(), databaseURL, 2)
	must(t, err)
	t.Cleanup(p.pool.Close)
	p.client, err = p.cfg.Kafka.NewClient("test", p.log)
	must(t, err)
	t.Cleanup(p.client.Close)
	must(t, p.cfg.Kafka.EnsureTopics(t.Context(), p.client, p.log))
	schemas, err := sr.NewClient(sr.URLs(reg.URL()))
	must(t, err)
	p.encoder, err = registry.NewEncoder(t.Context(), schemas, p.cfg.Kafka.Topics.Events)
	must(t, err)
	return p
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// send publishes customers from..to-1 with one event each.
func (p *pipeline) send(t *testing.T, from, to int) {
	t.Helper()
	p.sendVersion(t, from, to, 1)
}

// sendVersion publishes an event of customers from..to-1 that is newer than
// those of lower versions.
func (p *pipeline) sendVersion(t *testing.T, from, to, version int) {
	t.Helper()
	p.publish(t, from, to, func(ev *event.Event) {
		ev.Meta.EventID = fmt.Sprint(ev.ID, "-", version)
		ev.SetField("name", fmt.Sprint(ev.ID, " ", version))
		ev.Meta.Version.Order = int64(version)
	})
}

// sendAgain publishes the first events of customers from..to-1 a second time, as
// a provider's late repeats become them.
func (p *pipeline) sendAgain(t *testing.T, from, to int) {
	t.Helper()
	p.publish(t, from, to, func(ev *event.Event) {
		ev.Meta.EventID = ev.ID + "-1"
		ev.SetField("name", "repeated")
		ev.Meta.ReceivedAt = ev.Meta.ReceivedAt.AddDate(0, 0, 40)
		ev.Meta.RawOffset += 1000
		ev.Meta.Version.Offset += 1000
		ev.Meta.Version.Order = 1
	})
}

// occurred is when all events happened: a repeat has the time of the first.
var occurred = time.Now()

func (p *pipeline) publish(t *testing.T, from, to int, change func(*event.Event)) {
	t.Helper()
	var rs []*kgo.Record
	for i := from; i < to; i++ {
		id := fmt.Sprint(i)
		ev := &event.Event{Entity: "customer", ID: id, Meta: event.Meta{
			EventType: "customer.changed", Provider: "acme", Tenant: "default", BusinessKey: id, CorrelationID: id,
			OccurredAt: occurred, ReceivedAt: time.Now(), RawTopic: p.cfg.Kafka.Topics.Raw, RawOffset: int64(i),
			Version: event.Version{Generation: 1, Offset: int64(i), Revision: 1},
		}}
		change(ev)
		value, err := p.encoder.Encode(ev)
		must(t, err)
		rs = append(rs, record.EventRecord(p.cfg.Kafka.Topics.Events("customer"), ev, value))
	}
	must(t, p.client.ProduceSync(t.Context(), rs...).FirstErr())
}

// running is a sink that runs.
type running struct {
	*Service
	*runtest.Run
}

func (p *pipeline) start(t *testing.T) *running {
	t.Helper()
	s, err := New(p.cfg, p.log)
	must(t, err)
	return &running{s, runtest.Start(t, s.Run)}
}

// get fetches a page of the admin listener.
func (r *running) get(t *testing.T, path string) (int, string) {
	t.Helper()
	res, err := http.Get("http://" + r.AdminAddress() + path)
	must(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, string(body)
}

// customers is how many rows there are, -1 while the database does not answer.
func (p *pipeline) customers(t *testing.T) int {
	t.Helper()
	n := -1
	_ = p.pool.QueryRow(t.Context(), "select count(*) from webhooks.customer").Scan(&n)
	return n
}

func (p *pipeline) await(t *testing.T, n int) {
	t.Helper()
	runtest.Eventually(t, fmt.Sprintf("%d rows", n), func() bool { return p.customers(t) == n })
}

// awaitEvents waits for n events in the ledger.
func (p *pipeline) awaitEvents(t *testing.T, n int) {
	t.Helper()
	runtest.Eventually(t, fmt.Sprintf("%d events", n), func() bool {
		var got int
		_ = p.pool.QueryRow(t.Context(), "select count(*) from hookstream.events").Scan(&got)
		return got == n
	})
}

// wantLedger checks that n events are in the ledger, once each, and nothing is
// dead.
func (p *pipeline) wantLedger(t *testing.T, n int) {
	t.Helper()
	var applied, deliveries int
	must(t, p.pool.QueryRow(t.Context(), `select (select count(*) from hookstream.events where outcome <> 'stale'),
		(select count(*) from hookstream.deliveries)`).Scan(&applied, &deliveries))
	if applied != n || deliveries != 0 {
		t.Errorf("%d events applied and %d repeats, want %d and none", applied, deliveries, n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), runtest.Patience)
	defer cancel()
	must(t, p.cfg.Kafka.ReadToEnd(ctx, "letters", p.log, kafka.Partitions{p.cfg.Kafka.Topics.DeadLetters: nil}, func(r *kgo.Record) error {
		t.Errorf("dead letter %v", r.Headers)
		return nil
	}))
}

func TestEndToEnd(t *testing.T) {
	p := newPipeline(t, pgtest.Database(t))
	p.send(t, 0, 100)
	first := p.start(t)
	p.await(t, 100)
	runtest.Eventually(t, "ready", func() bool { code, _ := first.get(t, "/readyz"); return code == http.StatusOK })
	// A second instance shares the work, then has all of it.
	second := p.start(t)
	p.send(t, 100, 300)
	p.await(t, 300)
	first.Stop()
	p.send(t, 300, 400)
	p.await(t, 400)
	second.Stop()
	p.wantLedger(t, 400)
	lags, err := kadm.NewClient(p.client).Lag(t.Context(), p.cfg.Group)
	must(t, err)
	must(t, lags.Error())
	for _, l := range lags {
		if n := l.Lag.TotalByTopic()[p.cfg.Kafka.Topics.Events("customer")].Lag; n != 0 {
			t.Errorf("lag tools see %d records", n)
		}
	}
}

func TestWaitsForPostgresAndSurvivesItsRestart(t *testing.T) {
	server := pgtest.New(t)
	p := newPipeline(t, server.URL())
	server.Stop()
	p.send(t, 0, 50)
	r := p.start(t)
	runtest.Eventually(t, "a visible reason", func() bool {
		_, body := r.get(t, "/readyz")
		var health struct {
			Parts map[string]struct{ Reason string }
		}
		must(t, json.Unmarshal([]byte(body), &health))
		reason := health.Parts[partDatabase].Reason
		return reason != "" && reason != "starting" && !strings.HasPrefix(reason, "migrating")
	})
	server.Start(t)
	p.await(t, 50)
	for round := 1; round <= 2; round++ {
		p.send(t, round*50, round*50+25)
		r.awaitPart(t, partDatabase, true)
		server.Stop()
		r.awaitPart(t, partDatabase, false)
		p.send(t, round*50+25, round*50+50)
		server.Start(t)
		p.await(t, (round+1)*50)
	}
	r.awaitPart(t, partDatabase, true)
	r.Stop()
	p.wantLedger(t, 150)
}

// awaitPart waits for what health says of a part.
func (r *running) awaitPart(t *testing.T, part string, ready bool) {
	t.Helper()
	runtest.Eventually(t, fmt.Sprintf("%s to be ready: %v", part, ready), func() bool {
		_, parts := r.health.Ready()
		return parts[part].Ready == ready
	})
}

func TestWrongDatabaseIsFatal(t *testing.T) {
	server := pgtest.New(t)
	p := newPipeline(t, strings.Replace(server.URL(), "/postgres?", "/absent?", 1))
	err := p.start(t).Wait()
	if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), "HOOKSTREAM_DATABASE_URL") {
		t.Errorf("Run() = %v, want a Fatal error that names the variable", err)
	}
}

func TestStopsWhileItWaits(t *testing.T) {
	server := pgtest.New(t)
	p := newPipeline(t, server.URL())
	server.Stop()
	r := p.start(t)
	r.Stop()
}

// TestATopicMadeAnew: that of the dead letters makes no difference, that of events
// has the sink say what to do, since its offsets are of the old one.
func TestATopicMadeAnew(t *testing.T) {
	p := newPipeline(t, pgtest.Database(t))
	r := p.start(t)
	p.send(t, 0, 20)
	p.await(t, 20)
	anew := func(topic string) {
		t.Helper()
		p.broker.DeleteTopic(t, topic)
		must(t, p.cfg.Kafka.EnsureTopics(t.Context(), p.client, p.log))
		p.client.PurgeTopicsFromClient(topic)
	}
	anew(p.cfg.Kafka.Topics.DeadLetters)
	p.send(t, 20, 40)
	p.await(t, 40)
	events := p.cfg.Kafka.Topics.Events("customer")
	anew(events)
	p.send(t, 40, 100) // more than there were
	err := r.Wait()
	if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), "topic "+events+" was deleted and created again") {
		t.Fatalf("Run() = %v, want a Fatal error that names the topic", err)
	}
	_, err = p.pool.Exec(t.Context(), "delete from hookstream.consumer_offsets where topic = $1", events)
	must(t, err)
	p.start(t)
	p.await(t, 100)
	p.wantLedger(t, 100)
}
