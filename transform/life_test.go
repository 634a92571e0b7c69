// SPDX-License-Identifier: Apache-2.0

package transform_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/runtest"
	"github.com/hookstream/hookstream/transform"
)

// Instances come and go while webhooks and their duplicates flow: nothing is
// lost and nothing comes twice.
func TestInstancesComeAndGo(t *testing.T) {
	t.Parallel()
	const waves, perWave = 6, 500
	e := newEnv(t, 6)
	begin := func(name string) *runtest.Run {
		cfg := e.config(t, name)
		cfg.MaxRecords = 100
		return start(t, cfg)
	}
	instances := []*runtest.Run{begin("0")}
	for wave := range waves {
		e.payments(t, wave*perWave, (wave+1)*perWave)
		e.payments(t, max(0, wave-1)*perWave, (wave+1)*perWave) // the last two waves again
		switch {
		case len(instances) < 3:
			instances = append(instances, begin(fmt.Sprint(wave+1)))
		default:
			instances[0].Stop()
			instances = instances[1:]
		}
	}
	e.drained(t)
	e.wantPayments(t, waves*perWave)
}

// kill starts an instance in a process of its own and kills it without warning
// once it has published more than before, while it has work.
func (e *env) kill(t *testing.T, instance string) {
	t.Helper()
	cmd := e.child(t, instance, definitions)
	topic := e.kafka.Topics.Events("payment")
	before := len(e.read(t, topic))
	runtest.Eventually(t, "the instance to publish", func() bool { return len(e.read(t, topic)) > before })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if e.done(t) {
		t.Error("the instance was killed after its work, which shows nothing")
	}
}

// Instances are killed in the middle of their transactions. Their successors,
// under the same name and under another, go on where they were.
func TestKilledInstances(t *testing.T) {
	t.Parallel()
	const waves, perWave = 3, 2000
	e := newEnv(t, 3)
	for wave := range waves {
		e.payments(t, wave*perWave, (wave+1)*perWave)
		e.payments(t, wave*perWave, (wave+1)*perWave)
		e.kill(t, fmt.Sprint(wave/2))
	}
	e.payments(t, 0, waves*perWave)
	start(t, e.config(t, "last"))
	e.drained(t)
	e.wantPayments(t, waves*perWave)
}

// While the registry is away the service waits and says so.
func TestRegistryIsAwayAtStart(t *testing.T) {
	t.Parallel()
	e := newEnv(t, 1)
	behind, err := url.Parse(e.registry)
	if err != nil {
		t.Fatal(err)
	}
	var back atomic.Bool
	var refused atomic.Int32
	proxy := httputil.NewSingleHostReverseProxy(behind)
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !back.Load() {
			refused.Add(1)
			http.Error(w, "starting", http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(gate.Close)
	cfg := e.config(t, "a")
	cfg.Registry.URL = gate.URL
	cfg.AdminAddress = "127.0.0.1:0"
	s, err := transform.New(cfg, runtest.Logger())
	if err != nil {
		t.Fatal(err)
	}
	runService(t, s)
	e.payments(t, 0, 10)
	runtest.Eventually(t, "two tries", func() bool { return refused.Load() >= 2 })
	if code := readyz(t, s); code != http.StatusServiceUnavailable {
		t.Errorf("readyz answers %d without a registry", code)
	}
	back.Store(true)
	e.drained(t)
	e.wantPayments(t, 10)
	if code := readyz(t, s); code != http.StatusOK {
		t.Errorf("readyz answers %d with a registry", code)
	}
}

func runService(t *testing.T, s *transform.Service) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.Run(t.Context()) }() // ends before the cleanups
	t.Cleanup(func() {
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(runtest.Patience):
			t.Error("Run did not end")
		}
	})
}

func readyz(t *testing.T, s *transform.Service) int {
	t.Helper()
	code, _ := readiness(t, s)
	return code
}

func readiness(t *testing.T, s *transform.Service) (code int, text string) {
	t.Helper()
	res, err := http.Get("http://" + s.AdminAddress() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestRegistryRefuses(t *testing.T) {
	t.Parallel()
	t.Run("incompatible schema", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t, 1)
		client, err := sr.NewClient(sr.URLs(e.registry))
		if err != nil {
			t.Fatal(err)
		}
		subject := registry.Subject(e.kafka.Topics.Events("payment"))
		other := `{"type": "record", "name": "Payment", "namespace": "hookstream.events.v1", "fields": [{"name": "id", "type": "long"}]}`
		if _, err := client.CreateSchema(t.Context(), subject, sr.Schema{Schema: other, Type: sr.TypeAvro}); err != nil {
			t.Fatal(err)
		}
		wantFatal(t, e.config(t, "a"), subject)
	})
	t.Run("wrong credentials", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t, 1)
		guard := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"error_code": 40101, "message": "no"}`, http.StatusUnauthorized)
		}))
		t.Cleanup(guard.Close)
		cfg := e.config(t, "a")
		cfg.Registry.URL = guard.URL
		wantFatal(t, cfg, "HOOKSTREAM_REGISTRY_USER")
	})
}

func wantFatal(t *testing.T, cfg transform.Config, named string) {
	t.Helper()
	r := start(t, cfg)
	if err := r.Wait(); failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), named) {
		t.Errorf("Run gave %v, want a Fatal error that names %s", err, named)
	}
}

func TestBrokenDefinitionIsRefusedAtStart(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile(filepath.Join(definitions, "acme.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	broken := strings.Replace(string(good), "amount: .amount", "amount: .amount |", 1)
	file := filepath.Join(dir, "acme.yaml")
	if err := os.WriteFile(file, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := validConfig(t)
	cfg.DefinitionsDir = dir
	_, err = transform.New(cfg, runtest.Logger())
	if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), file+":") || !strings.Contains(err.Error(), "events[0].fields.amount") {
		t.Errorf("New gave %v, want a Fatal error with file, line and field", err)
	}
}

func validConfig(t *testing.T) transform.Config {
	t.Helper()
	var cfg transform.Config
	if err := transform.Info.Defaults(&cfg); err != nil {
		t.Fatal(err)
	}
	cfg.AdminAddress = ""
	return cfg
}

func TestConfigurationErrorsNameTheVariable(t *testing.T) {
	t.Parallel()
	valid := validConfig(t)
	if err := valid.Validate(); err != nil {
		t.Fatalf("the defaults are refused: %v", err)
	}
	for name, change := range map[string]func(*transform.Config){
		"HOOKSTREAM_BROKERS":             func(c *transform.Config) { c.Kafka.Brokers = nil },
		"HOOKSTREAM_REGISTRY_URL":        func(c *transform.Config) { c.Registry.URL = "registry:8081" },
		"HOOKSTREAM_REGISTRY_PASSWORD":   func(c *transform.Config) { c.Registry.User = "u" },
		"HOOKSTREAM_TRANSFORM_GROUP":     func(c *transform.Config) { c.Group = "" },
		"HOOKSTREAM_TRANSACTION_RECORDS": func(c *transform.Config) { c.MaxRecords = 0 },
		"HOOKSTREAM_TRANSACTION_TIMEOUT": func(c *transform.Config) { c.TransactionTimeout = 0 },
		"HOOKSTREAM_SESSION_TIMEOUT":     func(c *transform.Config) { c.SessionTimeout = time.Millisecond },
		"HOOKSTREAM_MAX_EVENT_AGE":       func(c *transform.Config) { c.MaxEventAge = 0 },
		"HOOKSTREAM_MAX_EVENT_SKEW":      func(c *transform.Config) { c.MaxEventSkew = -1 },
		"HOOKSTREAM_DEDUP_MAX_ENTRIES":   func(c *transform.Config) { c.DedupMaxEntries = -1 },
		"HOOKSTREAM_HELD_MAX_RECORDS":    func(c *transform.Config) { c.HeldMaxRecords = 0 },
		"HOOKSTREAM_DEDUP_WINDOW":        func(c *transform.Config) { c.Kafka.DedupWindow = 0 },
	} {
		cfg := validConfig(t)
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v does not name it", name, err)
		}
		if _, err := transform.New(cfg, runtest.Logger()); failure.Of(err) != failure.Fatal {
			t.Errorf("%s: New gave %v, want a Fatal error", name, err)
		}
	}
}
