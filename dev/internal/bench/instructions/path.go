// SPDX-License-Identifier: Apache-2.0

// Package instructions guards the hot paths by what does not depend on how busy
// the machine is: the instructions that each takes, as valgrind counts them.
package instructions

// Path is a hot path: a benchmark of a Go function.
type Path struct {
	Name string
	// Package is its folder, and Benchmark what go test -bench gets.
	Package, Benchmark string
	// Times is how often it runs. It is chosen for some 300 million instructions:
	// what a program takes to start differs by a million from run to run.
	Times int
}

// Paths are guarded.
var Paths = []Path{
	{"edge: verify and identify", "./ingest/internal/edge", "^BenchmarkVerifyAndIdentify$", 2000},
	{"edge: handler without Kafka", "./ingest/internal/edge", "^BenchmarkReceive$", 1000},
	{"edge: fields of a body", "./schemas/body", "^BenchmarkExtract$", 10_000},
	{"transform: record to event", "./schemas/mapping", "^BenchmarkProcess$/^stripe-charge$", 1500},
	{"transform: deduplication lookup", "./transform/internal/dedup", "^BenchmarkTableLookup$/^entries=10000$", 3_000_000},
	{"sink: record to row", "./sink/internal/apply", "^BenchmarkDecode$", 5000},
	{"all: traces of 1,000 records", "./stage/tracing", "^BenchmarkBatch$/^none$", 500},
}
