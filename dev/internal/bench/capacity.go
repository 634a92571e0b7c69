// SPDX-License-Identifier: Apache-2.0

package bench

// capacity is what the edge takes under full load. On a machine where all
// processes share the cores, the ratio of rates is the ratio of all CPU spent on
// a request; by process it says where that goes, and is little disturbed by what
// else runs.
type capacity struct {
	rate, total, server, broker, generator, objects, bytes *Measure
}

// newCapacity leaves out the CPU of a broker that is not ours, and what it is part of.
func (r *Run) newCapacity(ourBroker bool) *capacity {
	cpu := func(whose string) Measure {
		return Measure{Name: "CPU of " + whose + " per request", Unit: "µs", By: Ratio}
	}
	seen := func(m Measure) *Measure {
		if ourBroker {
			return r.measure(m)
		}
		return &m
	}
	return &capacity{
		rate:      r.measure(Measure{Name: "requests, as many as it takes", Unit: "/s", By: Ratio, Limit: atLeast(leastRate)}),
		total:     seen(cpu("all processes")),
		server:    r.measure(cpu("the server")),
		broker:    seen(Measure{Name: "CPU of the broker per request", Unit: "µs", By: Difference}),
		generator: r.measure(cpu("load generator")),
		objects:   r.measure(Measure{Name: "server's allocations per request", Unit: "", By: Difference}),
		bytes:     r.measure(Measure{Name: "allocated by the server per request", Unit: "bytes", By: Difference}),
	}
}

func (c *capacity) add(baseline, subject *spent) {
	per := func(m *Measure, of func(*spent) float64) {
		m.add(of(baseline)/float64(baseline.requests), of(subject)/float64(subject.requests))
	}
	c.rate.add(baseline.rate(), subject.rate())
	per(c.total, func(s *spent) float64 {
		return s.generator.microseconds() + s.server.microseconds() + s.broker.microseconds()
	})
	per(c.server, func(s *spent) float64 { return s.server.microseconds() })
	per(c.broker, func(s *spent) float64 { return s.broker.microseconds() })
	per(c.generator, func(s *spent) float64 { return s.generator.microseconds() })
	per(c.objects, func(s *spent) float64 { return float64(s.server.Objects) })
	per(c.bytes, func(s *spent) float64 { return float64(s.server.Bytes) })
}
