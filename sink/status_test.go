// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/sink/internal/attempts"
	"github.com/hookstream/hookstream/sink/internal/pgtest"
	"github.com/hookstream/hookstream/sink/internal/status"
	"github.com/hookstream/hookstream/stage/breaker"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/runtest"
)

// collect asks, and reads what -o json would print.
func (p *pipeline) collect(t *testing.T, instances ...string) *status.Report {
	t.Helper()
	text, err := json.Marshal(status.Collect(t.Context(), status.Source{
		Kafka: &p.cfg.Kafka, Pool: p.pool, Group: p.cfg.Group, Topics: Topics(&p.cfg.Kafka),
		Instances: instances, AdminPort: "1", Patience: 5 * time.Second, Log: p.log,
	}))
	must(t, err)
	r := &status.Report{}
	must(t, json.Unmarshal(text, r))
	return r
}

// customers are the partitions of the only topic with records.
func customerPartitions(p *pipeline, r *status.Report) (out []status.Partition) {
	for _, part := range r.Partitions {
		if part.Topic == p.cfg.Kafka.Topics.Events("customer") {
			out = append(out, part)
		}
	}
	return out
}

func TestStatusOfASinkThatIsUpToDateAndOneThatIsNot(t *testing.T) {
	p := newPipeline(t, pgtest.Database(t))
	r := p.start(t)
	p.send(t, 0, 100)
	p.await(t, 100)
	var report *status.Report
	runtest.Eventually(t, "the offsets in Kafka", func() bool {
		report = p.collect(t, r.AdminAddress())
		for _, part := range customerPartitions(p, report) {
			if part.KafkaOffset.Value == nil || *part.KafkaOffset.Value != part.EndOffset.Value {
				return false
			}
		}
		return true
	})
	if !report.Complete() || len(report.Partitions) != int(p.cfg.Kafka.Partitions)*len(Topics(&p.cfg.Kafka)) {
		t.Errorf("%d partitions, problems %q", len(report.Partitions), report.Problems)
	}
	var total int64
	for _, part := range customerPartitions(p, report) {
		total += *part.DatabaseOffset.Value
		if part.Lag.Value != 0 || part.OldestUnapplied.Value != nil || *part.Epoch.Value != 1 || part.Retry.Value != nil ||
			!strings.HasPrefix(*part.Owner.Value, "sink@") || time.Since(*part.AppliedAt.Value) > runtest.Patience {
			t.Errorf("%+v", part)
		}
	}
	if total != 100 {
		t.Errorf("%d records are applied, want 100", total)
	}
	r.Stop()

	sent := time.Now().Truncate(time.Millisecond)
	p.send(t, 100, 150)
	report = p.collect(t)
	var lag int64
	for _, part := range customerPartitions(p, report) {
		lag += part.Lag.Value
		if at := part.OldestUnapplied; !at.OK || at.Value == nil || at.Value.Before(sent) || at.Value.After(time.Now()) {
			t.Errorf("the oldest is %v, sent at %s", at.Value, sent)
		}
		if !part.Owner.OK || part.Owner.Value != nil || !part.Retry.OK || part.Retry.Value != nil {
			t.Errorf("nobody runs, and yet: %+v", part)
		}
	}
	if lag != 50 {
		t.Errorf("lag %d, want 50", lag)
	}
	wantText(t, report, "2 behind by 50 records, 0 tried again; the oldest event that is not applied waits for ", p.cfg.Kafka.Topics.Events("customer")+"/0")
}

// wantText checks what a person sees.
func wantText(t *testing.T, report *status.Report, want ...string) {
	t.Helper()
	var b bytes.Buffer
	must(t, report.Text(&b, false))
	for _, w := range want {
		if !strings.Contains(b.String(), w) {
			t.Errorf("the text does not say %q:\n%s", w, &b)
		}
	}
}

func TestStatusShowsWhatIsTriedAgainAndForgetsIt(t *testing.T) {
	p := newPipeline(t, pgtest.New(t, "lock_timeout=50ms").URL())
	r := p.start(t)
	p.send(t, 0, 10)
	p.await(t, 10)
	lock, err := p.pool.Begin(t.Context())
	must(t, err)
	_, err = lock.Exec(t.Context(), "lock table webhooks.customer in access exclusive mode")
	must(t, err)
	p.send(t, 10, 20)
	var report *status.Report
	retrying := func() (n int) {
		report = p.collect(t, r.AdminAddress())
		for _, part := range customerPartitions(p, report) {
			if retry := part.Retry.Value; retry != nil && retry.Attempts > 1 && strings.Contains(retry.Reason, "lock timeout") && !retry.NextAttempt.Before(retry.Since) {
				n++
			}
		}
		return n
	}
	runtest.Eventually(t, "partitions that are tried again", func() bool { return retrying() > 0 })
	wantText(t, report, "failed, the next is in ", "lock timeout", "last error")
	must(t, lock.Rollback(t.Context()))
	p.await(t, 20)
	runtest.Eventually(t, "nothing tried again", func() bool {
		report = p.collect(t, r.AdminAddress())
		for _, part := range report.Partitions {
			if part.Retry.Value != nil {
				return false
			}
		}
		return report.Complete()
	})
	if last := report.Instances[0].State.Value.LastError; last == nil || !strings.Contains(last.Reason, "lock timeout") {
		t.Errorf("the last error is forgotten: %+v", last)
	}
	r.Stop()
}

// TestAttemptsAreCountedWhilePostgresIsAway: what is tried is the offsets then, and
// an operator sees that it is tried, and when next.
func TestAttemptsAreCountedWhilePostgresIsAway(t *testing.T) {
	server := pgtest.New(t)
	p := newPipeline(t, server.URL())
	r := p.start(t)
	p.send(t, 0, 10)
	p.await(t, 10)
	server.Stop()
	p.send(t, 10, 20)
	runtest.Eventually(t, "the fifth attempt, and the next to come", func() bool {
		_, body := r.get(t, attempts.Path)
		var state attempts.State
		must(t, json.Unmarshal([]byte(body), &state))
		return slices.ContainsFunc(state.Retrying, func(a attempts.Retry) bool { return a.Attempts > 4 && a.NextAttempt.After(time.Now()) })
	})
	report := p.collect(t, r.AdminAddress())
	if !slices.ContainsFunc(customerPartitions(p, report), func(part status.Partition) bool {
		return part.Retry.Value != nil && part.Retry.Value.Attempts > 4
	}) {
		t.Errorf("sink status does not say what is tried: %+v", report)
	}
	wantText(t, report, "failed, the next is in ")
	server.Start(t)
	p.await(t, 20)
	runtest.Eventually(t, "nothing tried again", func() bool {
		_, body := r.get(t, attempts.Path)
		return strings.Contains(body, `"retrying":[],`)
	})
	r.Stop()
}

// TestStatusShowsWhatIsHeld: the breaker's partitions wait in the same way as
// others, and readiness says why.
func TestStatusShowsWhatIsHeld(t *testing.T) {
	p := newPipeline(t, pgtest.Database(t))
	r := p.start(t)
	p.send(t, 0, 10)
	p.await(t, 10)
	_, err := p.pool.Exec(t.Context(), "alter table webhooks.customer add constraint nobody check (false) not valid")
	must(t, err)
	p.send(t, 10, 400)
	const want = "most events of acme customer.changed are refused with constraint_violation (SQLSTATE 23514, table webhooks.customer, constraint nobody), first at "
	var report *status.Report
	runtest.Eventually(t, "held partitions", func() bool {
		report = p.collect(t, r.AdminAddress())
		return slices.ContainsFunc(customerPartitions(p, report), func(part status.Partition) bool {
			return part.Retry.Value != nil && strings.Contains(part.Retry.Value.Reason, want)
		})
	})
	wantText(t, report, "failed, the next is in ", want)
	if code, body := r.get(t, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, want) {
		t.Errorf("/readyz says %d, %s", code, body)
	}
	_, err = p.pool.Exec(t.Context(), "alter table webhooks.customer drop constraint nobody")
	must(t, err)
	runtest.Eventually(t, "everything applied or, before the breaker opened, dead", func() bool { return p.customers(t) > 400-breaker.LeastFailures })
	runtest.Eventually(t, "readiness", func() bool { code, _ := r.get(t, "/readyz"); return code == http.StatusOK })
	r.Stop()
}

// TestStatusTakesNoOtherInstallationsWord: where two run on one machine, what listens
// at the usual port may be the other's.
func TestStatusTakesNoOtherInstallationsWord(t *testing.T) {
	p, other := newPipeline(t, pgtest.Database(t)), newPipeline(t, pgtest.Database(t))
	r, elsewhere := p.start(t), other.start(t)
	for _, each := range []*pipeline{p, other} {
		each.send(t, 0, 10)
		each.await(t, 10)
	}
	report := p.collect(t, elsewhere.AdminAddress())
	if report.Complete() || report.Instances[0].State.OK || !strings.Contains(report.Instances[0].Error, "another installation") {
		t.Errorf("%+v", report.Instances)
	}
	wantText(t, report, "0 behind by 0 records, whether tried again is unknown\n\ninstance ", "no member of group "+p.cfg.Group)
	if report := p.collect(t, r.AdminAddress()); !report.Complete() || report.Instances[0].State.Value.Member == "" {
		t.Errorf("its own: %+v", report.Instances)
	}
	r.Stop()
	elsewhere.Stop()
}

func TestStatusSaysWhatIsUnknown(t *testing.T) {
	server := pgtest.New(t)
	p := newPipeline(t, server.URL())
	r := p.start(t)
	p.send(t, 0, 10)
	p.await(t, 10)
	t.Run("instance", func(t *testing.T) {
		report := p.collect(t) // where the members' hosts listen on another port
		for _, part := range report.Partitions {
			if part.Retry.OK || !part.DatabaseOffset.OK || !part.Lag.OK {
				t.Fatalf("%+v", part)
			}
		}
		if report.Complete() || len(report.Instances) != 1 || report.Instances[0].State.OK || report.Instances[0].Error == "" {
			t.Errorf("%+v", report.Instances)
		}
		wantText(t, report, "what it tries again is unknown")
	})
	r.Stop()
	t.Run("database", func(t *testing.T) {
		server.Stop()
		defer server.Start(t)
		report := p.collect(t)
		part := customerPartitions(p, report)[0]
		if report.Complete() || part.DatabaseOffset.OK || part.Lag.OK || part.Epoch.OK || !part.KafkaOffset.OK || !part.EndOffset.OK {
			t.Errorf("%+v", part)
		}
		wantText(t, report, "unknown", "could not ask: database: ")
	})
	t.Run("kafka", func(t *testing.T) {
		away := *p
		away.cfg.Kafka = kafka.Config{Brokers: []string{"127.0.0.1:1"}, Topics: p.cfg.Kafka.Topics, MaxMessageBytes: 1 << 20}
		report := away.collect(t)
		parts := customerPartitions(p, report)
		if len(parts) == 0 || report.Complete() {
			t.Fatalf("%d partitions", len(parts))
		}
		if part := parts[0]; !part.DatabaseOffset.OK || part.KafkaOffset.OK || part.Lag.OK || part.Owner.OK || part.OldestUnapplied.OK || part.Retry.OK {
			t.Errorf("%+v", part)
		}
	})
}
