// SPDX-License-Identifier: Apache-2.0

// Package metricstest reads what a test measures. Only tests import it.
package metricstest

import (
	"context"
	"strings"
	"testing" //nolint:depguard // only tests import this package

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Metrics are those of the process.
type Metrics struct {
	t      testing.TB
	reader *sdkmetric.ManualReader
}

// Record keeps what is measured until the test ends. The provider is the
// process's: the test must not be parallel.
func Record(t testing.TB) Metrics {
	m := Metrics{t, sdkmetric.NewManualReader()}
	old := otel.GetMeterProvider()
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(m.reader)))
	t.Cleanup(func() { otel.SetMeterProvider(old) })
	return m
}

// Values are those of a counter or gauge of integers, summed by the values of the
// labels, which a space separates. A metric that nobody measured has none.
func (m Metrics) Values(name string, labels ...attribute.Key) map[string]int64 {
	m.t.Helper()
	var all metricdata.ResourceMetrics
	if err := m.reader.Collect(context.Background(), &all); err != nil { // at the test's end too
		m.t.Fatal(err)
	}
	values := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, metric := range scope.Metrics {
			if metric.Name != name {
				continue
			}
			for _, p := range m.points(metric) {
				values[of(p.Attributes, labels)] += p.Value
			}
		}
	}
	return values
}

func (m Metrics) points(metric metricdata.Metrics) []metricdata.DataPoint[int64] {
	switch data := metric.Data.(type) {
	case metricdata.Sum[int64]:
		return data.DataPoints
	case metricdata.Gauge[int64]:
		return data.DataPoints
	}
	m.t.Fatalf("%s is a %T", metric.Name, metric.Data)
	return nil
}

func of(set attribute.Set, labels []attribute.Key) string {
	values := make([]string, len(labels))
	for i, label := range labels {
		v, _ := set.Value(label)
		values[i] = v.AsString()
	}
	return strings.Join(values, " ")
}
