// SPDX-License-Identifier: Apache-2.0

package normalize

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hookstream/hookstream/schemas/reason"
)

// outcome is what became of a raw record.
type outcome string

const (
	outcomeEvent      outcome = "event"
	outcomeDuplicate  outcome = "duplicate"
	outcomeDropped    outcome = "dropped"
	outcomeDeadLetter outcome = "dead-letter"
	// outcomeHeld is followed by another one when the record is released.
	outcomeHeld outcome = "held"
)

// tally counts a transaction's outcomes; they become metrics when it commits,
// so that an aborted attempt is not counted.
type tally map[counted]int64

type counted struct {
	provider string
	outcome  outcome
	reason   reason.Code
}

func (t tally) count(provider string, o outcome, why reason.Code) { t[counted{provider, o, why}]++ }

type metrics struct {
	records metric.Int64Counter
	open    metric.Int64Gauge
	held    metric.Int64Gauge
	heldAge metric.Float64Gauge
	// told are the providers of which something is said to be held.
	told map[string]bool
}

func newMetrics() (metrics, error) {
	meter := otel.Meter("github.com/hookstream/hookstream/transform/internal/normalize")
	records, err1 := meter.Int64Counter("hookstream.transform.records",
		metric.WithDescription("Raw records by provider, outcome and reason."))
	open, err2 := meter.Int64Gauge("hookstream.transform.breaker.open",
		metric.WithDescription("Event types that fail for a reason of ours, and are held."))
	held, err3 := meter.Int64Gauge("hookstream.transform.held.records",
		metric.WithDescription("Raw records that are held until their definition is corrected, or behind such a one of their key."))
	age, err4 := meter.Float64Gauge("hookstream.transform.held.age", metric.WithUnit("s"),
		metric.WithDescription("Since when the oldest held record is held; 0 where there is none."))
	return metrics{records, open, held, age, map[string]bool{}}, errors.Join(err1, err2, err3, err4)
}

func (m *metrics) add(ctx context.Context, t tally) {
	for r, n := range t {
		attrs := []attribute.KeyValue{
			attribute.String("provider", r.provider), attribute.String("outcome", string(r.outcome)),
		}
		if r.reason != "" {
			attrs = append(attrs, attribute.String("reason", string(r.reason)))
		}
		m.records.Add(ctx, n, metric.WithAttributes(attrs...))
	}
}
