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
	pass: passTelemetry, times: 2,
}

// leastObserved is the goal for the throughput with telemetry.
const leastObserved = 0.95

func passTelemetry(ctx context.Context, r *Run) (err error) {
	receiver, err := traces.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, receiver.Close()) }()
	env := []string{
		"OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01",
		"OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + receiver.Endpoint(),
	}
	if err := observedEdge(ctx, r, env); err != nil {
		return err
	}
	return observedTransform(ctx, r, env)
}

// observedEdge takes as many webhooks as two edges take, one of them observed.
func observedEdge(ctx context.Context, r *Run, env []string) (err error) {
	b := &edgeBench{Run: r}
	defer func() { err = errors.Join(err, b.stop(ctx)) }()
	if b.cluster, err = r.startCluster(ctx); err != nil {
		return err
	}
	if b.bare, err = b.target(ctx, nil, "ingest-silent", b.cluster.process, b.cluster.args()...); err != nil {
		return err
	}
	if b.ingest, err = b.target(ctx, env, "ingest", b.cluster.process, b.cluster.args()...); err != nil {
		return err
	}
	for _, t := range []*target{b.bare, b.ingest} { // warms them up
		if _, err := b.full(ctx, t, b.Turn); err != nil {
			return err
		}
	}
	rate := r.measure(Measure{Name: "edge: requests, as many as it takes", Unit: "/s", By: Ratio, Limit: atLeast(leastObserved)})
	cpu := r.measure(Measure{Name: "edge: CPU per request", Unit: "µs", By: Ratio})
	return b.rounds(ctx, "edge", func(ctx context.Context) error {
		s, err := b.alternate(ctx, b.bare, b.ingest)
		if err != nil {
			return err
		}
		off, on := s[0], s[1]
		rate.add(off.rate(), on.rate())
		cpu.add(off.server.microseconds()/float64(off.requests), on.server.microseconds()/float64(on.requests))
		return nil
	})
}

// observedTransform drains a backlog in which 1 % is sampled.
func observedTransform(ctx context.Context, r *Run, env []string) (err error) {
	b := newTransformBench(r)
	defer func() { err = errors.Join(err, b.stop(ctx)) }()
	if err := b.start(ctx); err != nil {
		return err
	}
	rate := r.measure(Measure{Name: "transform: records", Unit: "/s", By: Ratio, Limit: atLeast(leastObserved)})
	cpu := r.measure(Measure{Name: "transform: CPU per record", Unit: "µs", By: Ratio})
	var off, on *drained
	return b.rounds(ctx, "transform",
		func(ctx context.Context) (err error) { off, err = b.drain(ctx, "transform"); return err },
		func(ctx context.Context) (err error) {
			if on, err = b.drainAs(ctx, b.nextGroup(), "transform-observed", produceBatch, env...); err != nil {
				return err
			}
			rate.add(off.rate, on.rate)
			cpu.add(off.cpu, on.cpu)
			return nil
		})
}
