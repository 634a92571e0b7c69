// SPDX-License-Identifier: Apache-2.0

// Package alerts runs Hookstream's alerting rules in Prometheus's own engine. It
// is a module of its own, outside the workspace: the engine's module asks for the
// SDKs of several clouds, which nothing else here is to carry.
package alerts

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
)

const file = "../../deploy/prometheus/rules.yml"

// at is when the alerts are looked at, in the time of the test's series, and step
// how often they are evaluated before, to see whether their "for" is over.
const (
	at   = 51 * time.Hour
	step = time.Minute
)

// cases are series with a sample a minute, in promtool's notation and separated by
// semicolons: those that must fire an alert, and those, much like them, that must
// not. Of several series each begins at the start: the storage takes them in any
// order, and nothing that is far older than what it has.
var cases = map[string]struct{ fires, quiet []string }{
	"HookstreamDown": {
		fires: []string{`up{job="sink"} 1x3055 0x10`, `up{job="dlq"} 1x3055 0x10`},
		quiet: []string{`up{job="sink"} 1x3058 0x3`, `up{job="sink"} 1x3059 _ 1x5`, `up{job="kafka"} 0x3070`},
	},
	"HookstreamNotReady": {
		fires: []string{`hookstream_ready{service="sink",part="database"} 0x3070`, `hookstream_ready{service="sink",part="consumer"} 1x3050 0x20`, `hookstream_ready{service="sink",part="consumer"} 1x3040 0 0 1 0 0 1 0 0 1 0 0 1 0 0 1 0 0 1 0 0 1 0 0 1`},
		quiet: []string{`hookstream_ready{service="sink",part="consumer"} 1x3070`, `hookstream_ready{service="sink",part="consumer"} 1x3056 0x3 1x10`, `hookstream_ready{service="sink",part="consumer"} 1x3040 0 1 1 1 0 1 1 1 0 1 1 1 0 1 1 1 0 1 1 1 0 1 1 1`, `hookstream_ready{service="sink",part="server"} 1x3058 0 _x20`},
	},
	"HookstreamTurningWebhooksAway": {
		fires: []string{`hookstream_ingest_requests_total{outcome="not_acknowledged",status="503"} 0x3000 0+60x70`},
		quiet: []string{`hookstream_ingest_requests_total{outcome="not_acknowledged",status="503"} 0x3000 0+1x70`, `hookstream_ingest_requests_total{outcome="accepted",status="202"} 0+60x3070`},
	},
	"HookstreamLagGrowing": {
		fires: []string{`hookstream_consumer_lag_time_seconds{group="g",topic="t"} 0x3040 60+60x30`, `kafka_consumer_group_lag{group="g",topic="t"} 0x3030 2000+100x40`},
		quiet: []string{`hookstream_consumer_lag_time_seconds{group="g",topic="t"} 30x3070`, `kafka_consumer_group_lag{group="g",topic="t"} 0x3030 20000-100x40`, `kafka_consumer_group_lag{group="g",topic="t"} 0x3030 0+1x40`},
	},
	"HookstreamRequestToRowSlow": {
		fires: []string{`hookstream_sink_latency_seconds_bucket{le="5"} 0+90x3070;hookstream_sink_latency_seconds_bucket{le="10"} 0+100x3070;hookstream_sink_latency_seconds_bucket{le="+Inf"} 0+100x3070`},
		quiet: []string{`hookstream_sink_latency_seconds_bucket{le="5"} 0+1000x3070;hookstream_sink_latency_seconds_bucket{le="10"} 0+1001x3070;hookstream_sink_latency_seconds_bucket{le="+Inf"} 0+1001x3070`},
	},
	"HookstreamFailuresRepeating": {
		fires: []string{`hookstream_transform_records_total{outcome="dead-letter",provider="stripe",reason="mapping_failed"} 0x3040 0+2x30`, `hookstream_sink_dead_letters_total{reason="invalid_value"} 0x3040 0+2x30`, `hookstream_transform_records_total{outcome="dead-letter",provider="stripe",reason="mapping_failed"} _x3050 100x20`, `hookstream_sink_dead_letters_total{reason="invalid_value"} _x3050 100x20`},
		quiet: []string{`hookstream_transform_records_total{outcome="dead-letter",provider="stripe",reason="mapping_failed"} 0x3050 1x20`, `hookstream_transform_records_total{outcome="duplicate",provider="stripe"} 0+20x3070`, `hookstream_sink_dead_letters_total{reason="invalid_value"} 0x3050 3x20`, `hookstream_transform_records_total{outcome="dead-letter",provider="stripe",reason="mapping_failed"} _x3050 9x20`, `hookstream_transform_records_total{outcome="dead-letter",provider="stripe",reason="mapping_failed"} _x3000 100x70`, `hookstream_sink_dead_letters_total{reason="invalid_value"} _x3000 100x70`},
	},
	"HookstreamSignaturesFailing": {
		fires: []string{`hookstream_ingest_requests_total{provider="stripe",status="401"} 0x3030 0+5x40;hookstream_ingest_requests_total{provider="stripe",status="202"} 0+5x3070`},
		quiet: []string{`hookstream_ingest_requests_total{provider="stripe",status="401"} 0x3030 0+5x40;hookstream_ingest_requests_total{provider="stripe",status="202"} 0+500x3070`, `hookstream_ingest_requests_total{provider="stripe",status="401"} 0x3058 3x20`},
	},
	"HookstreamProviderSilent": {
		fires: []string{`hookstream_ingest_events_total{provider="stripe"} 0+1x2900 2900x170`, `hookstream_ingest_events_total{provider="stripe"} 0+1x2900 _x170`},
		quiet: []string{`hookstream_ingest_events_total{provider="stripe"} 0+1x3070`, `hookstream_ingest_events_total{provider="rare"} 0x3070`, `hookstream_ingest_events_total{provider="new"} _x2900 0+1x100 100x70`, `hookstream_ingest_events_total{provider="stripe",instance="a"} 0+1x2970 _x100;hookstream_ingest_events_total{provider="stripe",instance="b"} 0 _x3009 1x60`},
	},
	"HookstreamPartitionsWaiting": {
		fires: []string{`hookstream_consumer_partitions_waiting{group="g",state="retrying"} 0x3050 2x20`, `hookstream_consumer_partitions_waiting{group="g",state="held"} 0x3050 1 0 1 0 1 0 1 0 1 0 1 0 1`},
		quiet: []string{`hookstream_consumer_partitions_waiting{group="g",state="held"} 0x3050 1x3 0x20`, `hookstream_consumer_partitions_waiting{group="g",state="restoring"} 0x3058 6x1 0x20`},
	},
	"HookstreamBreakerOpen": {
		fires: []string{`hookstream_transform_breaker_open 0x3050 1x20`, `hookstream_transform_breaker_open 0x3050 1 0 1 0 1 0 1 0 1 0 1 0 1`, `hookstream_sink_breaker_open 0x3050 1x20`, `hookstream_transform_breaker_open{job="all"} 0x3070;hookstream_sink_breaker_open{job="all"} 0x3050 1x20`, `hookstream_transform_breaker_open{job="all"} 0x3050 1x20;hookstream_sink_breaker_open{job="all"} 0x3070`},
		quiet: []string{`hookstream_transform_breaker_open 0x3070`, `hookstream_sink_breaker_open 0x3070`},
	},
	"HookstreamCertificateExpiring": {
		fires: []string{`hookstream_ingest_certificate_expiry_seconds 700000x3070`, `hookstream_dlq_certificate_expiry_seconds 700000x3070`, `hookstream_ingest_certificate_expiry_seconds 9000000x3070;hookstream_dlq_certificate_expiry_seconds 700000x3070`},
		quiet: []string{`hookstream_dlq_certificate_expiry_seconds 9000000x3070`, `hookstream_ingest_certificate_expiry_seconds 9000000x3070`},
	},
	"HookstreamSecretOld": {
		fires: []string{`hookstream_ingest_secret_age_seconds{tenant="default",provider="stripe"} 40000000x3070`, `hookstream_dlq_tokens_age_seconds 40000000x3070`},
		quiet: []string{`hookstream_dlq_tokens_age_seconds 20000000x3070`, `hookstream_ingest_secret_age_seconds{tenant="default",provider="stripe"} 20000000x3070`},
	},
	"HookstreamDeadLettersOpen": {
		fires: []string{`hookstream_dlq_open{stage="transform",reason="mapping_failed"} 0x3040 200x30`},
		quiet: []string{`hookstream_dlq_open{stage="transform",reason="mapping_failed"} 5x3070`},
	},
	"HookstreamDeadLettersOld": {
		fires: []string{`hookstream_dlq_oldest_age_seconds{stage="sink",reason="invalid_value"} 0+60x3070`},
		quiet: []string{`hookstream_dlq_oldest_age_seconds{stage="sink",reason="invalid_value"} 3600x3070`},
	},
}

func TestAlerts(t *testing.T) {
	rules := load(t)
	for name, c := range cases {
		rule, ok := rules[name]
		if !ok {
			t.Errorf("%s is not in %s", name, file)
			continue
		}
		for _, series := range c.fires {
			if !fires(t, rule, series) {
				t.Errorf("%s does not fire on %s", name, series)
			}
		}
		for _, series := range c.quiet {
			if fires(t, rule, series) {
				t.Errorf("%s fires on %s", name, series)
			}
		}
	}
	for name := range rules {
		if c := cases[name]; len(c.fires) == 0 || len(c.quiet) == 0 {
			t.Errorf("%s has no case that fires, or none that does not", name)
		}
	}
}

// load is Prometheus's own, strict reading of the file.
func load(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(file, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
	rules := map[string]rulefmt.Rule{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			rules[r.Alert] = r
		}
	}
	return rules
}

// newEngine is one as Prometheus starts it. promqltest's own has experimental
// features, with which expressions work that are errors elsewhere.
func newEngine(t *testing.T) *promql.Engine {
	t.Helper()
	return promqltest.NewTestEngineWithOpts(t, promql.EngineOpts{
		MaxSamples: 50_000_000, Timeout: 2 * time.Minute, LookbackDelta: 5 * time.Minute,
		EnableAtModifier: true, EnableNegativeOffset: true,
		Parser: parser.NewParser(parser.Options{}),
	})
}

// fires reports whether the rule's expression has held for as long as it says:
// the same labels at every step up to at.
func fires(t *testing.T, rule rulefmt.Rule, series string) bool {
	t.Helper()
	storage := promqltest.LoadedStorage(t, "load 1m\n\t"+strings.ReplaceAll(series, ";", "\n\t"))
	engine := newEngine(t)
	end := time.Unix(0, 0).Add(at)
	query, err := engine.NewRangeQuery(t.Context(), storage, nil, rule.Expr, end.Add(-time.Duration(rule.For)), end, step)
	if err != nil {
		t.Fatalf("%s: %v", rule.Alert, err)
	}
	defer query.Close()
	result, err := query.Exec(t.Context()).Matrix()
	if err != nil {
		t.Fatalf("%s: %v", rule.Alert, err)
	}
	steps := int(time.Duration(rule.For)/step) + 1
	return slices.ContainsFunc(result, func(s promql.Series) bool { return len(s.Floats) == steps })
}
