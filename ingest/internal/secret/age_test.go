// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

func TestAgesAreThoseOfTheFilesInForce(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	old := otel.GetMeterProvider()
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	t.Cleanup(func() { otel.SetMeterProvider(old) })
	a, err := NewAges()
	if err != nil {
		t.Fatal(err)
	}
	pair := Pair{Tenant: "acme", Provider: "stripe"}
	yesterday := time.Now().Add(-24 * time.Hour)
	a.Set([]Entry{
		{Pair: pair, Changed: yesterday},
		{Pair: pair, VerifyToken: true, Changed: yesterday.Add(-time.Hour)},
		{Pair: Pair{Tenant: "acme", Provider: "github"}}, // of the variable
	})
	got := measured(t, reader)
	want := attribute.NewSet(attribute.String("tenant", "acme"), attribute.String("provider", "stripe"))
	if age, ok := got[want]; len(got) != 1 || !ok || age < 86400 || age > 86500 {
		t.Errorf("got %v", got)
	}
	a.Set(nil)
	if got := measured(t, reader); len(got) != 0 {
		t.Errorf("a secret that was removed still has an age: %v", got)
	}
}

func measured(t *testing.T, reader *sdkmetric.ManualReader) map[attribute.Set]float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[attribute.Set]float64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if g, ok := m.Data.(metricdata.Gauge[float64]); ok && m.Name == "hookstream.ingest.secret.age" {
				for _, p := range g.DataPoints {
					got[p.Attributes] = p.Value
				}
			}
		}
	}
	return got
}
