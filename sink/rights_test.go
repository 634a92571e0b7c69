// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/setting"
	"github.com/hookstream/hookstream/sink/internal/database"
	"github.com/hookstream/hookstream/sink/internal/pgtest"
	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/runtest"
)

// logged is a log that a test reads while it is written.
type logged struct{ runtest.Output }

func (l *logged) count(text string) int { return strings.Count(l.String(), text) }

// exec runs SQL as the database's owner.
func (p *pipeline) exec(t *testing.T, sql string) {
	t.Helper()
	_, err := p.pool.Exec(t.Context(), sql)
	must(t, err)
}

// letters is how many dead letters there are.
func (p *pipeline) letters(t *testing.T) (n int) {
	t.Helper()
	must(t, p.cfg.Kafka.ReadToEnd(t.Context(), "letters", p.log, kafka.Partitions{p.cfg.Kafka.Topics.DeadLetters: nil}, func(*kgo.Record) error {
		n++
		return nil
	}))
	return n
}

// byHand makes the database as a person does from what sink ddl prints, and has
// the pipeline's sinks run as a user with no other rights than those.
func (p *pipeline) byHand(t *testing.T, server *pgtest.Server) {
	t.Helper()
	tables, err := table.All(p.cfg.TablesSchema)
	must(t, err)
	keeper := database.Keeper{Tables: tables}
	ddl, err := keeper.Complete(time.Now())
	must(t, err)
	p.exec(t, "create role writer login; revoke all on database postgres from public; grant connect on database postgres to writer")
	p.exec(t, database.Script(append(ddl, database.Grants("writer", tables)...)))
	p.cfg.Managed = "off"
	p.cfg.DatabaseURL = setting.Secret(strings.Replace(server.URL(), "//postgres@", "//writer@", 1))
}

func TestRightsThatDDLPrintsAreEnough(t *testing.T) {
	server := pgtest.New(t)
	p := newPipeline(t, server.URL())
	p.byHand(t, server)
	p.cfg.PurgeAfter, p.cfg.LedgerRetention = 800*time.Hour, 800*time.Hour
	// As sink ddl --diff has a person do every day: after the rights were granted.
	p.exec(t, "create table hookstream.ledger_20250101 partition of hookstream.ledger for values from ('2025-01-01Z') to ('2025-01-02Z')")
	p.exec(t, "alter table webhooks.customer add constraint no_debts check (balance >= 0)")
	log := &logged{}
	p.log = slog.New(slog.NewTextHandler(log, nil))
	p.send(t, 0, 600)
	r := p.start(t)
	p.await(t, 600)
	runtest.Eventually(t, "a look at the partitions at the start, and the upkeep's", func() bool { return log.count("not those of today's retention") == 2 })
	r.Stop()
	// At once, so that they are too many for arrays.
	p.sendVersion(t, 0, 600, 2)
	p.publish(t, 600, 610, func(ev *event.Event) {
		ev.Meta.EventID = ev.ID
		ev.SetField("balance", int64(-1))
	})
	r = p.start(t)
	p.awaitEvents(t, 1200)
	runtest.Eventually(t, "the dead letters", func() bool { return p.letters(t) == 10 })
	r.Stop()
	if log.count("42501") > 0 {
		t.Error("the sink met a right that it lacks")
	}
}

func TestRightThatIsNeededLaterIsMissedAtTheStart(t *testing.T) {
	server := pgtest.New(t)
	p := newPipeline(t, server.URL())
	p.byHand(t, server)
	p.exec(t, "revoke temporary on database postgres from writer")
	err := p.start(t).Wait()
	if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), `GRANT TEMPORARY ON DATABASE "postgres" TO "writer"`) {
		t.Errorf("Run() = %v, want a Fatal error with what to run", err)
	}
}
