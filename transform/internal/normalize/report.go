// SPDX-License-Identifier: Apache-2.0

package normalize

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hookstream/hookstream/stage/breaker"
)

// opened are the kinds for which the breaker opens with this batch.
func (b *batch) opened() []breaker.Kind {
	var opened []breaker.Kind
	for k := range b.verdict.Open {
		if !b.breaker.IsOpen(k) {
			opened = append(opened, k)
		}
	}
	return opened
}

// tell logs which kinds were stopped, and reports.
func (p *Processor) tell(ctx context.Context, opened []breaker.Kind) {
	for k := range p.cfg.Held.Kinds() {
		for _, o := range opened {
			if k.Kind == o {
				p.cfg.Log.WarnContext(ctx, "event type is held", kindAttr(o), "reason", string(k.Reason), "first", k.First.String(), "records", k.Records, "error", k.Message)
			}
		}
	}
	p.report(ctx)
}

// report says in the metrics and in the service's state what is held.
func (p *Processor) report(ctx context.Context) {
	now := 0
	for range p.breaker.Opened() {
		now++
	}
	p.metrics.open.Record(ctx, int64(now))
	age := 0.0
	if oldest := p.cfg.Held.Oldest(); !oldest.IsZero() {
		age = max(0, p.cfg.Now().Sub(oldest).Seconds())
	}
	p.metrics.heldAge.Record(ctx, age)
	p.metrics.recordHeld(ctx, p.heldByProvider())
	p.cfg.Status(p.stopped())
}

// heldByProvider counts what is held, by names of the configuration.
func (p *Processor) heldByProvider() map[string]int64 {
	n := map[string]int64{}
	catalog := p.cfg.Definitions()
	for k := range p.cfg.Held.Kinds() {
		name := k.Provider
		if _, known := catalog[name]; !known {
			name = unknownProvider
		}
		n[name] += int64(k.Records)
	}
	return n
}

// recordHeld also takes back what it said of providers of which nothing is held now.
func (m *metrics) recordHeld(ctx context.Context, byProvider map[string]int64) {
	for name := range m.told {
		if byProvider[name] == 0 {
			m.held.Record(ctx, 0, metric.WithAttributes(attribute.String("provider", name)))
			delete(m.told, name)
		}
	}
	for name, n := range byProvider {
		m.held.Record(ctx, n, metric.WithAttributes(attribute.String("provider", name)))
		m.told[name] = true
	}
}
