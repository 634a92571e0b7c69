// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// measure reports each part as a gauge until the registration ends, for a part
// that is not ready need not make anything else rise: a consumer that never gets
// as far as a record has no lag. The service is a label because several may share
// a process.
func (h *Health) measure() (metric.Registration, error) {
	meter := otel.Meter("github.com/hookstream/hookstream/stage/admin")
	ready, err1 := meter.Int64ObservableGauge("hookstream.ready",
		metric.WithDescription("1 where a part of a service is ready, 0 where it waits; /readyz has the reason."))
	registration, err2 := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		h.observe(o, ready)
		return nil
	}, ready)
	return registration, errors.Join(err1, err2)
}

func (h *Health) observe(o metric.Observer, gauge metric.Int64ObservableGauge) {
	_, parts := h.Ready()
	for part, s := range parts {
		var value int64
		if s.Ready {
			value = 1
		}
		o.ObserveInt64(gauge, value, metric.WithAttributes(attribute.String("service", h.service), attribute.String("part", part)))
	}
}
