// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
)

func TestLogger(t *testing.T) {
	old := slog.Default()
	t.Cleanup(func() { slog.SetDefault(old) })
	log, err := Logger("test", "warn")
	if err != nil {
		t.Fatal(err)
	}
	if log.Enabled(t.Context(), slog.LevelInfo) || !log.Enabled(t.Context(), slog.LevelWarn) || slog.Default() != log {
		t.Error("the level or the default is not as asked")
	}
	if _, err := Logger("test", "loud"); err == nil || !strings.Contains(err.Error(), "HOOKSTREAM_LOG_LEVEL") {
		t.Errorf("got %v", err)
	}
}

func TestTracesAreExportedOnlyWhereAsked(t *testing.T) {
	names := []string{"OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"}
	for want, sets := range map[bool][]map[string]string{
		false: {{}, {names[0]: "none"}, {names[0]: "none", names[1]: "http://x"}},
		true:  {{names[0]: "otlp"}, {names[1]: "http://x"}, {names[2]: "http://x"}},
	} {
		for _, set := range sets {
			for _, name := range names {
				t.Setenv(name, set[name])
			}
			if exportsTraces() != want {
				t.Errorf("%v: want %v", set, want)
			}
		}
	}
}

func TestAnUnknownSamplerIsAnErrorAtStart(t *testing.T) {
	t.Setenv("OTEL_TRACES_EXPORTER", "console")
	t.Setenv("OTEL_TRACES_SAMPLER", "sometimes")
	if _, err := tracesOptions(t.Context()); err == nil || !strings.Contains(err.Error(), "OTEL_TRACES_SAMPLER") {
		t.Errorf("got %v", err)
	}
}

func TestStart(t *testing.T) {
	t.Setenv("OTEL_TRACES_EXPORTER", "none")
	stop, err := Start(t.Context(), "test", "v1")
	if err != nil {
		t.Fatal(err)
	}
	counter, err := otel.Meter("test").Int64Counter("hookstream.test.things")
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := otel.Tracer("test").Start(t.Context(), "work")
	if !span.SpanContext().IsValid() {
		t.Error("spans have no ids where nothing is exported")
	}
	if span.IsRecording() {
		t.Error("a span is recorded although nothing is exported")
	}
	carrier := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, carrier)
	if !strings.Contains(carrier["traceparent"], span.SpanContext().TraceID().String()) {
		t.Errorf("propagates %v", carrier)
	}
	span.End()
	counter.Add(ctx, 3)
	if !exposed(t, "hookstream_test_things_total") {
		t.Error("the metric is not exposed")
	}
	if err := stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func exposed(t *testing.T, name string) bool {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return true
		}
	}
	return false
}
