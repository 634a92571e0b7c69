// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"slices"

	"github.com/hookstream/hookstream/dev/internal/bench/plot"
)

// The benchmarks of Go functions, with the goals of what they measure.
const (
	mostMapping    = 0.60 // of encoding/json's CPU
	leastRows      = 0.75 // of COPY
	leastSmallRows = 0.90 // of COPY, at 100 rows a commit
	mostRefused    = 2.5  // of the time of a batch of which nothing is refused
	leastReplay    = 0.50 // of plain transactions
	restoreGoal    = 5    // million entries a second
	memoryGoal     = 30   // bytes an entry
	memoryGoalFrom = 1e6  // entries; smaller sets are mostly what a set starts with
	operatorGoal   = 10   // seconds
)

// fixed is a limit that holds for all lines.
func fixed(l *Limit) func(name, metric string) *Limit {
	return func(_, _ string) *Limit { return l }
}

// of are the measures in a unit.
func of(unit string, measures []*Measure) []*Measure {
	return slices.DeleteFunc(slices.Clone(measures), func(m *Measure) bool { return m.Unit != unit })
}

var mappingCPU = functions{
	dir: "./schemas/mapping", pattern: "^BenchmarkEvent$", metrics: []string{"ns/event"}, ratio: "of-encoding-json",
	limit: fixed(atMost(mostMapping)),
}.benchmark("mapping", "CPU of one event: record, identity, mapping, digest, Avro and headers", "enc/json", "event")

var sinkRows = functions{
	dir: "./sink/internal/apply", pattern: "^BenchmarkSink$/^synchronous_commit=false$/.*/^half_there=false$", metrics: []string{"rows/s"}, ratio: "ratio",
	limit: func(name, _ string) *Limit {
		switch size, _ := sizeIn(name, "rows"); size {
		case 100:
			return atLeast(leastSmallRows)
		case 1000: // the most of a transaction, by default
			return atLeast(leastRows)
		}
		return nil
	},
	charts: func(m []*Measure) []plot.Chart {
		return []plot.Chart{{
			Name: "sink-throughput", Title: "Rows into Postgres by rows a commit",
			X: plot.Axis{Title: "rows a commit", Log: true}, Y: plot.Axis{Title: "rows a second, with their ledger", Log: true},
			Lines: bySize(m, "rows", "COPY", "sink"),
		}}
	},
}.benchmark("sink", "rows and their ledger into Postgres, fsync on", "COPY", "sink")

var sinkRefused = functions{
	dir: "./sink/internal/apply", pattern: "^BenchmarkPoison$", metrics: []string{"ms/batch"}, ratio: "ratio",
	limit: fixed(atMost(mostRefused)),
}.benchmark("refused", "1,000 rows a commit, 1 or 100 of them refused by Postgres, fsync on", "clean", "sink")

var sinkGrowth = functions{
	dir: "./sink/internal/apply", pattern: "^BenchmarkGrowth$", metrics: []string{"rows/s"}, dear: true,
	charts: func(m []*Measure) []plot.Chart {
		return []plot.Chart{{
			Name: "sink-growth", Title: "Rows into Postgres as table and ledger grow",
			X: plot.Axis{Title: "rows that are there", Log: true}, Y: plot.Axis{Title: "rows a second, 1,000 a commit"},
			Lines: bySize(m, "there", "", "sink"),
		}}
	},
}.benchmark("growth", "1,000 new rows a commit as the table and the ledger grow; --full to ten million", "", "sink")

var replayed = functions{
	dir: "./dlq", pattern: "^BenchmarkReplay$", metrics: []string{"letters/s"}, ratio: "ratio", times: 3,
	limit: fixed(atLeast(leastReplay)),
}.benchmark("replay", "50,000 dead letters and their resolutions in transactions", "produce", "replay")

var operators = functions{
	dir: "./dlq", pattern: "^Benchmark(Backlog|Trace)$", metrics: []string{"seconds", "MB-resident"}, times: 1, dear: true,
	limit: func(_, metric string) *Limit {
		if metric == "seconds" {
			return atMost(operatorGoal)
		}
		return nil
	},
}.benchmark("operators", "dlq over 100,000 dead letters, hookstream trace over 200,000 webhooks, as programs", "", "program")

var dedupRestore = functions{
	dir: "./transform/internal/dedup", pattern: "^BenchmarkRestore$", metrics: []string{"Mentries/s"}, times: 1,
	limit: fixed(atLeast(restoreGoal)),
}.benchmark("restore", "deduplication from the changelog's bytes, in millions a second", "", "restore")

var dedupGrowth = functions{
	dir: "./transform/internal/dedup", pattern: "^BenchmarkRestoreFromKafka$", metrics: []string{"bytes/entry", "seconds"}, times: 1,
	limit: func(name, metric string) *Limit {
		if n, _ := sizeIn(name, "entries"); metric == "bytes/entry" && n >= memoryGoalFrom {
			return atMost(memoryGoal)
		}
		return nil
	},
	charts: func(m []*Measure) []plot.Chart {
		remembered := plot.Axis{Title: "events remembered", Log: true}
		return []plot.Chart{{
			Name: "dedup-memory", Title: "Memory of deduplication by what it remembers", X: remembered, Y: plot.Axis{Title: "bytes an event"},
			Lines: bySize(of("bytes/entry", m), "entries", "", "set in memory"),
		}, {
			Name: "dedup-restore", Title: "Time to restore deduplication from Kafka", X: remembered, Y: plot.Axis{Title: "seconds", Log: true},
			Lines: bySize(of("seconds", m), "entries", "", "assignment to ready"),
		}}
	},
}.benchmark("memory", "deduplication restored from Kafka: what an event takes, and how long it takes", "", "restore")

var dedupLookup = functions{
	dir: "./transform/internal/dedup", pattern: "^BenchmarkTableLookup$", metrics: []string{"ns/op"}, dear: true,
	charts: func(m []*Measure) []plot.Chart {
		return []plot.Chart{{
			Name: "dedup-lookup", Title: "Cost of a lookup as the set grows",
			X: plot.Axis{Title: "events remembered", Log: true}, Y: plot.Axis{Title: "ns a lookup"},
			Lines: bySize(m, "entries", "", "lookup"),
		}}
	},
}.benchmark("lookup", "one lookup in a deduplication set, half of them hits", "", "lookup")
