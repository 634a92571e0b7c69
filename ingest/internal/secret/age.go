// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Ages tells how old the secrets in force are. The age is the file's, so that a
// rotation that adds a secret beside the old one makes the pair young.
type Ages struct {
	mu      sync.Mutex
	changed map[Pair]time.Time
}

// NewAges measures until the process ends.
func NewAges() (*Ages, error) {
	a := &Ages{}
	_, err := otel.Meter("github.com/hookstream/hookstream/ingest/secret").Float64ObservableGauge(
		"hookstream.ingest.secret.age", metric.WithUnit("s"),
		metric.WithDescription("Time since the file of a pair's signing secrets was written. Secrets of HOOKSTREAM_SECRETS have no age."),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			a.observe(o, time.Now())
			return nil
		}))
	return a, err
}

func (a *Ages) observe(o metric.Float64Observer, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for pair, changed := range a.changed {
		o.Observe(now.Sub(changed).Seconds(), metric.WithAttributes(
			attribute.String("tenant", pair.Tenant), attribute.String("provider", pair.Provider)))
	}
}

// Set replaces what is measured by the secrets in force.
func (a *Ages) Set(entries []Entry) {
	changed := map[Pair]time.Time{}
	for _, e := range entries {
		if !e.VerifyToken && !e.Changed.IsZero() {
			changed[e.Pair] = e.Changed
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.changed = changed
}
