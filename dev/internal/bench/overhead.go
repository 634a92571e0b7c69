// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"

	"github.com/hookstream/hookstream/dev/internal/traces"
)

// telemetryCost is what metrics, and the traces of one webhook in a hundred, take
// from the throughput.
var telemetryCost = Benchmark{
	Name:     "telemetry",
	Title:    "metrics on and 1 % of the traces exported, against both off",
	Baseline: "off", Subject: "on",
	run: runTelemetry,
}

// leastObserved is the goal for the throughput with telemetry.
const leastObserved = 0.95

func runTelemetry(ctx context.Context, r *Run) (_ []Measure, err error) {
	receiver, err := traces.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, receiver.Close()) }()
	env := []string{
		"OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01",
		"OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + receiver.Endpoint(),
	}
	edge, err := observedEdge(ctx, r, env)
	if err != nil {
		return nil, err
	}
	transform, err := observedTransform(ctx, r, env)
	return append(edge, transform...), err
}

// observedEdge takes as many webhooks as two edges take, one of them observed.
func observedEdge(ctx context.Context, r *Run, env []string) (_ []Measure, err error) {
	b := &edgeBench{Run: r}
	defer func() { err = errors.Join(err, b.stop(ctx)) }()
	if b.cluster, err = r.startCluster(ctx); err != nil {
		return nil, err
	}
	if b.bare, err = b.target(ctx, nil, "ingest-silent", b.cluster.process, b.cluster.args()...); err != nil {
		return nil, err
	}
	if b.ingest, err = b.target(ctx, env, "ingest", b.cluster.process, b.cluster.args()...); err != nil {
		return nil, err
	}
	for _, t := range []*target{b.bare, b.ingest} { // warms them up
		if _, err := b.full(ctx, t); err != nil {
			return nil, err
		}
	}
	rate := Measure{Name: "edge: requests, as many as it takes", Unit: "/s", By: Ratio, Limit: atLeast(leastObserved)}
	cpu := Measure{Name: "edge: CPU per request", Unit: "µs", By: Ratio}
	var off, on *spent
	err = b.rounds(ctx, "edge",
		func(ctx context.Context) (err error) { off, err = b.full(ctx, b.bare); return err },
		func(ctx context.Context) (err error) {
			if on, err = b.full(ctx, b.ingest); err != nil {
				return err
			}
			rate.add(off.rate(), on.rate())
			cpu.add(off.server.microseconds()/float64(off.requests), on.server.microseconds()/float64(on.requests))
			return nil
		})
	return []Measure{rate, cpu}, err
}

// observedTransform drains a backlog in which 1 % is sampled.
func observedTransform(ctx context.Context, r *Run, env []string) (_ []Measure, err error) {
	b := newTransformBench(r)
	defer func() { err = errors.Join(err, b.stop(ctx)) }()
	if err := b.start(ctx); err != nil {
		return nil, err
	}
	rate := Measure{Name: "transform: records", Unit: "/s", By: Ratio, Limit: atLeast(leastObserved)}
	cpu := Measure{Name: "transform: CPU per record", Unit: "µs", By: Ratio}
	var off, on *drained
	err = b.rounds(ctx, "transform",
		func(ctx context.Context) (err error) { off, err = b.drain(ctx, "transform"); return err },
		func(ctx context.Context) (err error) {
			if on, err = b.drainAs(ctx, b.nextGroup(), "transform-observed", produceBatch, env...); err != nil {
				return err
			}
			rate.add(off.rate, on.rate)
			cpu.add(off.cpu, on.cpu)
			return nil
		})
	return []Measure{rate, cpu}, err
}
