// SPDX-License-Identifier: Apache-2.0

package bench

// capacity is what the edge takes under full load. On a machine where all
// processes share the cores, the ratio of rates is the ratio of all CPU spent on
// a request; by process it says where that goes, and is little disturbed by what
// else runs.
type capacity struct {
	rate, total, server, broker, generator, objects, bytes Measure
}

func newCapacity() *capacity {
	cpu := func(whose string) Measure {
		return Measure{Name: "CPU of " + whose + " per request", Unit: "µs", By: Ratio}
	}
	return &capacity{
		rate:      Measure{Name: "requests, as many as it takes", Unit: "/s", By: Ratio, Limit: atLeast(leastRate)},
		total:     cpu("all processes"),
		server:    cpu("the server"),
		broker:    Measure{Name: "CPU of the broker per request", Unit: "µs", By: Difference},
		generator: cpu("load generator"),
		objects:   Measure{Name: "server's allocations per request", Unit: "", By: Difference},
		bytes:     Measure{Name: "allocated by the server per request", Unit: "bytes", By: Difference},
	}
}

func (c *capacity) add(baseline, subject *spent) {
	per := func(m *Measure, of func(*spent) float64) {
		m.add(of(baseline)/float64(baseline.requests), of(subject)/float64(subject.requests))
	}
	c.rate.add(baseline.rate(), subject.rate())
	per(&c.total, func(s *spent) float64 {
		return s.generator.microseconds() + s.server.microseconds() + s.broker.microseconds()
	})
	per(&c.server, func(s *spent) float64 { return s.server.microseconds() })
	per(&c.broker, func(s *spent) float64 { return s.broker.microseconds() })
	per(&c.generator, func(s *spent) float64 { return s.generator.microseconds() })
	per(&c.objects, func(s *spent) float64 { return float64(s.server.Objects) })
	per(&c.bytes, func(s *spent) float64 { return float64(s.server.Bytes) })
}

// measures leaves out the CPU of a broker that is not ours, and what it is part of.
func (c *capacity) measures(ourBroker bool) []Measure {
	if !ourBroker {
		return []Measure{c.rate, c.server, c.generator, c.objects, c.bytes}
	}
	return []Measure{c.rate, c.total, c.server, c.broker, c.generator, c.objects, c.bytes}
}
