// SPDX-License-Identifier: Apache-2.0

// Package telemetry sets up logs, traces and metrics for a process, as the
// OTEL_* variables ask, and publishes them as OpenTelemetry's global providers.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/hookstream/hookstream/stage/tracing"
)

// Start installs the providers and returns the function that flushes and stops
// them. Metrics are always exposed for Prometheus, on the process's default
// registry; traces are exported where OTEL_TRACES_EXPORTER or an OTLP endpoint
// is set, sampled as OTEL_TRACES_SAMPLER says (tracing.SamplerFrom). Without an
// exporter no span is recorded, and traces are marked as not sampled.
func Start(ctx context.Context, service, version string) (stop func(context.Context) error, err error) {
	res, err := describe(ctx, service, version)
	if err != nil {
		return nil, err
	}
	// The scope is the package that measures, which the metric's name says too.
	reader, err := prometheus.New(prometheus.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("prometheus exporter: %w", err)
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithResource(res), sdkmetric.WithReader(reader))

	traces, err := traceProvider(ctx, res)
	if err != nil {
		return nil, err
	}

	otel.SetMeterProvider(meters)
	otel.SetTracerProvider(traces)
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	return func(ctx context.Context) error {
		return errors.Join(traces.Shutdown(ctx), meters.Shutdown(ctx))
	}, nil
}

// StartTraces is Start for a command that ends by itself: it has no metrics. It
// does nothing where no exporter is asked for.
func StartTraces(ctx context.Context, service, version string) (stop func(context.Context) error, err error) {
	if !exportsTraces() {
		return func(context.Context) error { return nil }, nil
	}
	res, err := describe(ctx, service, version)
	if err != nil {
		return nil, err
	}
	traces, err := traceProvider(ctx, res)
	if err != nil {
		return nil, err
	}
	otel.SetTracerProvider(traces)
	return traces.Shutdown, nil
}

// describe says in telemetry what process it is of.
func describe(ctx context.Context, service, version string) (*resource.Resource, error) {
	res, err := resource.New(ctx,
		resource.WithAttributes(
			attribute.String("service.namespace", "hookstream"),
			attribute.String("service.name", service),
			attribute.String("service.version", version)),
		resource.WithFromEnv(), resource.WithTelemetrySDK(), resource.WithHost(), resource.WithProcessPID())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("telemetry resource: %w", err)
	}
	return res, nil
}

func traceProvider(ctx context.Context, res *resource.Resource) (*sdktrace.TracerProvider, error) {
	opts, err := tracesOptions(ctx)
	if err != nil {
		return nil, err
	}
	return sdktrace.NewTracerProvider(append(opts, sdktrace.WithResource(res))...), nil
}

// spanQueue is how many spans may wait for the exporter; those beyond it are
// dropped. The spans of a transaction end together, and it has as many records as
// HOOKSTREAM_MAX_RECORDS says, so OpenTelemetry's own 2048 are too few.
const spanQueue = 16_384

func tracesOptions(ctx context.Context) ([]sdktrace.TracerProviderOption, error) {
	if !exportsTraces() {
		return []sdktrace.TracerProviderOption{sdktrace.WithSampler(sdktrace.NeverSample())}, nil
	}
	sampler, err := tracing.SamplerFrom(os.Getenv("OTEL_TRACES_SAMPLER"), os.Getenv("OTEL_TRACES_SAMPLER_ARG"))
	if err != nil {
		return nil, err
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("trace exporter: %w", err)
	}
	var queue []sdktrace.BatchSpanProcessorOption
	if os.Getenv("OTEL_BSP_MAX_QUEUE_SIZE") == "" {
		queue = append(queue, sdktrace.WithMaxQueueSize(spanQueue))
	}
	return []sdktrace.TracerProviderOption{sdktrace.WithSampler(sampler), sdktrace.WithBatcher(exporter, queue...)}, nil
}

// exportsTraces reports whether the environment asks for an exporter. Without
// one, spans still give every log line and record a trace id.
func exportsTraces() bool {
	if e := os.Getenv("OTEL_TRACES_EXPORTER"); e != "" {
		return e != "none"
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Level is the lowest level that is logged.
type Level string

// Logger writes JSON lines to standard error and makes itself the default. A line
// names the trace and the transaction that its context is in.
func Logger(service string, level Level) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("HOOKSTREAM_LOG_LEVEL is %.20q, must be debug, info, warn or error", level)
	}
	log := slog.New(tracing.LogHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: l}))).With("service", service)
	slog.SetDefault(log)
	return log, nil
}
