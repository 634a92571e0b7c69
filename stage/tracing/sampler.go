// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"fmt"
	"strconv"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// DefaultRatio of the traces is recorded where nothing is configured. It costs
// little and shows what is usual; what is unusual, a failure, is recorded anyway.
const DefaultRatio = 0.01

// SamplerFrom is the sampler of OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG,
// as OpenTelemetry defines their values, with Keep around it. An empty name is
// parentbased_traceidratio, with DefaultRatio where arg is empty too. always_off
// keeps nothing.
func SamplerFrom(name, arg string) (sdktrace.Sampler, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	ratio := 1.0
	if name == "" {
		name, ratio = "parentbased_traceidratio", DefaultRatio
	}
	if arg = strings.TrimSpace(arg); arg != "" && strings.HasSuffix(name, "traceidratio") {
		var err error
		if ratio, err = strconv.ParseFloat(arg, 64); err != nil || ratio < 0 || ratio > 1 {
			return nil, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG is %q, must be a number from 0 to 1", arg)
		}
	}
	switch name {
	case "always_off":
		return sdktrace.NeverSample(), nil
	case "always_on":
		return Keep(sdktrace.AlwaysSample()), nil
	case "traceidratio":
		return Keep(sdktrace.TraceIDRatioBased(ratio)), nil
	case "parentbased_always_on":
		return Keep(sdktrace.ParentBased(sdktrace.AlwaysSample())), nil
	case "parentbased_always_off":
		return Keep(sdktrace.ParentBased(sdktrace.NeverSample())), nil
	case "parentbased_traceidratio":
		return Keep(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio))), nil
	}
	return nil, fmt.Errorf("OTEL_TRACES_SAMPLER is %q, must be always_on, always_off, traceidratio or one of these after parentbased_", name)
}

// Keep is a sampler that asks base, but always records
//
//   - what a sampled span or record is the parent of: a ratio of its own would
//     break traces that were kept for a failure,
//   - what begins with an error.type: failures,
//   - batches, which are only traced if a record in them is, and replays, which
//     are an operator's.
func Keep(base sdktrace.Sampler) sdktrace.Sampler { return keeping{base} }

type keeping struct{ sdktrace.Sampler }

// ShouldSample implements sdktrace.Sampler.
func (k keeping) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	parent := trace.SpanContextFromContext(p.ParentContext)
	if parent.IsSampled() || kept(p) {
		return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample, Tracestate: parent.TraceState()}
	}
	return k.Sampler.ShouldSample(p)
}

func kept(p sdktrace.SamplingParameters) bool {
	for i := range p.Attributes {
		switch p.Attributes[i].Key {
		case semconv.ErrorTypeKey, semconv.MessagingBatchMessageCountKey, ReplayID:
			return true
		}
	}
	return false
}

// Description implements sdktrace.Sampler.
func (k keeping) Description() string { return "Keep{" + k.Sampler.Description() + "}" }
