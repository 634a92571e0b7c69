// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"runtime/metrics"
	"syscall"
	"time"
)

// usage is what a process has used since its start.
type usage struct {
	CPU time.Duration `json:"cpu"`
	// Objects and Bytes were allocated on the heap.
	Objects uint64 `json:"objects"`
	Bytes   uint64 `json:"bytes"`
}

// used is this process's usage.
func used() usage {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // fails on a bad argument only
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(samples)
	return usage{
		CPU:     time.Duration(r.Utime.Nano() + r.Stime.Nano()),
		Objects: samples[0].Value.Uint64(),
		Bytes:   samples[1].Value.Uint64(),
	}
}

func (u usage) since(before usage) usage {
	return usage{CPU: u.CPU - before.CPU, Objects: u.Objects - before.Objects, Bytes: u.Bytes - before.Bytes}
}

func (u usage) plus(other usage) usage {
	return usage{CPU: u.CPU + other.CPU, Objects: u.Objects + other.Objects, Bytes: u.Bytes + other.Bytes}
}

func (u usage) microseconds() float64 { return float64(u.CPU) / float64(time.Microsecond) }
