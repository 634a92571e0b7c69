// SPDX-License-Identifier: Apache-2.0

package stack_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dev/internal/check"
	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/stacktest"
	"github.com/hookstream/hookstream/dev/internal/workload"
	"github.com/hookstream/hookstream/stage/kafkatest"
)

// options name the Kafka of the environment, with names of this test's own, or
// leave it embedded.
func options(t *testing.T) stack.Options {
	t.Helper()
	if b := kafkatest.Shared(t); b != nil {
		return stack.Options{Brokers: b.Addresses, Prefix: b.Prefix}
	}
	return stack.Options{}
}

// start brings up a stack that is stopped with the test.
func start(t *testing.T, opts stack.Options) *stack.Stack {
	t.Helper()
	opts.Address, opts.RegistryAddress = "127.0.0.1:0", "127.0.0.1:0"
	opts.Secrets, opts.Unsafe = workload.SecretList(), true
	if opts.Log == nil {
		opts.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := stack.Start(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *stack.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// trial is one plan on its way through a stack.
type trial struct {
	plan     *workload.Plan
	mu       sync.Mutex
	outcomes []workload.Outcome
}

func newTrial(seed uint64, n int) *trial {
	now := time.Now()
	return &trial{plan: workload.NewPlan(seed, n, workload.Run(now), now, workload.DefaultMix)}
}

func (r *trial) send(t *testing.T, s *stack.Stack, events []*workload.Event) {
	t.Helper()
	sender := workload.Sender{URLs: []string{"http://" + s.Address()}, Connections: 16, Retries: 5}
	err := sender.Phase(t.Context(), events, func(o workload.Outcome) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.outcomes = append(r.outcomes, o)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func target(s *stack.Stack) *check.Target {
	return &check.Target{Kafka: s.Kafka, RegistryURL: s.Registry, DatabaseURL: s.Database, Schema: s.TablesSchema, Log: slog.New(slog.DiscardHandler)}
}

func (r *trial) judge(t *testing.T, s *stack.Stack) *check.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := target(s).WaitDrained(ctx, r.plan, s.Group, nil); err != nil {
		t.Fatal(err)
	}
	seen, err := target(s).Collect(ctx, r.plan)
	if err != nil {
		t.Fatal(err)
	}
	return check.Judge(r.plan, r.outcomes, seen)
}

func (r *trial) mustBeOK(t *testing.T, s *stack.Stack) {
	t.Helper()
	if report := r.judge(t, s); !report.OK() {
		t.Fatalf("the checker found: %+v", report)
	}
}

func TestEveryWebhookIsAccountedFor(t *testing.T) {
	s := start(t, options(t))
	r := newTrial(1, 3000)
	for _, phase := range r.plan.Phases {
		r.send(t, s, phase)
	}
	r.mustBeOK(t, s)
}

func TestGracefulRestartLosesAndRepeatsNothing(t *testing.T) {
	opts := options(t)
	opts.DataDir = stacktest.PublicDir(t)
	r := newTrial(2, 2000)
	first := r.plan.Phases[0]
	s := start(t, opts)
	r.send(t, s, first[:len(first)/2])
	stop(t, s) // while transform and sink still have work
	s = start(t, opts)
	r.send(t, s, first[len(first)/2:])
	for _, phase := range r.plan.Phases[1:] {
		r.send(t, s, phase)
	}
	r.mustBeOK(t, s)
}

// TestAFolderIsOneStacks: of two on the same data, the second would write over the
// first's when it ends.
func TestAFolderIsOneStacks(t *testing.T) {
	opts := stack.Options{
		DataDir: stacktest.PublicDir(t), Address: "127.0.0.1:0", RegistryAddress: "127.0.0.1:0",
		Secrets: workload.SecretList(), Unsafe: true, Log: slog.New(slog.DiscardHandler),
	}
	s := start(t, opts)
	_, err := stack.Start(t.Context(), opts)
	if want := fmt.Sprintf("data folder %s is in use by process %d: ", opts.DataDir, os.Getpid()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	stop(t, s)
	start(t, opts)
}

// TestAProviderOfOnesOwn: its definition and its secret lie in folders, and those of
// the samples stay in force.
func TestAProviderOfOnesOwn(t *testing.T) {
	opts := options(t)
	opts.DefinitionsDir, opts.SecretsDir = t.TempDir(), t.TempDir()
	write(t, filepath.Join(opts.DefinitionsDir, "acme.yaml"), `# Acme.
provider: acme
title: Acme
docs: https://acme.example/docs
revision: 1
confirmed: true
verify: {scheme: hmac, algorithm: sha256, encoding: hex, signature: {header: Acme-Signature}, signed: "{body}", secret: {encoding: raw}}
identity:
  id: [{from: "{body.id}"}]
  type: [{from: "{body.type}"}]
  key: [{from: "{body.id}"}]
unmapped: generic
`)
	write(t, filepath.Join(opts.SecretsDir, "default", "acme"), "acme-s3cret\n")
	s := start(t, opts)
	const body = `{"id":"evt_81","type":"order.paid"}`
	mac := hmac.New(sha256.New, []byte("acme-s3cret"))
	mac.Write([]byte(body))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.Address()+"/webhooks/acme", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Acme-Signature", hex.EncodeToString(mac.Sum(nil)))
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		t.Errorf("acme's webhook is answered %s", res.Status)
	}
	r := newTrial(4, 20)
	r.send(t, s, r.plan.Phases[0])
	for _, o := range r.outcomes {
		if o.Code >= http.StatusNotFound {
			t.Errorf("a sample of %s is answered %d", o.Event.Provider, o.Code)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestCheckerSeesRealFaults breaks what a sound pipeline did, on the real
// topics and tables, and looks whether the checker notices.
func TestCheckerSeesRealFaults(t *testing.T) {
	s := start(t, options(t))
	r := newTrial(3, 500)
	for _, phase := range r.plan.Phases {
		r.send(t, s, phase)
	}
	r.mustBeOK(t, s)

	publishTwice(t, s)
	if report := r.judge(t, s); report.Duplicated == 0 || report.OK() {
		t.Errorf("an event that is published twice was not seen: %+v", report)
	}
	execute(t, s, `DELETE FROM `+pgx.Identifier{s.TablesSchema, "issue"}.Sanitize())
	if report := r.judge(t, s); report.Lost == 0 {
		t.Errorf("rows that are gone were not seen: %+v", report)
	}
	execute(t, s, `UPDATE `+pgx.Identifier{s.TablesSchema, "payment"}.Sanitize()+` SET amount = amount + 1, charge_status = 'x'`)
	if report := r.judge(t, s); report.WrongRows == 0 {
		t.Errorf("rows that are wrong were not seen: %+v", report)
	}
}

// publishTwice is what a broken deduplication would do.
func publishTwice(t *testing.T, s *stack.Stack) {
	t.Helper()
	var copied *kgo.Record
	err := s.Kafka.ReadToEnd(t.Context(), "test", slog.New(slog.DiscardHandler), map[string][]int32{s.Kafka.Topics.Events("customer"): nil}, func(r *kgo.Record) error {
		copied = &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers}
		return nil
	})
	if err != nil || copied == nil {
		t.Fatalf("no event to copy: %v", err)
	}
	client, err := s.Kafka.NewClient("test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), copied).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func execute(t *testing.T, s *stack.Stack, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}
