// SPDX-License-Identifier: Apache-2.0

// Package check is the ledger checker: it compares what ingest accepted with
// what came out on the topics, in Postgres and among the dead letters. What must
// come out it derives from the workload alone.
package check

import "fmt"

// Report is the verdict over one run.
type Report struct {
	Seed uint64 `json:"seed"`
	Run  string `json:"run"`

	// Sent deliveries, and how they were answered.
	Sent       int `json:"sent"`
	Accepted   int `json:"accepted"`
	Refused    int `json:"refused"`
	Unanswered int `json:"unanswered"`

	// Unique events among the accepted that must have an effect.
	Unique int `json:"unique"`
	// Events found on the public topics, rows compared, dead letters found.
	Events      int `json:"events"`
	Rows        int `json:"rows"`
	DeadLetters int `json:"dead_letters"`
	// Early are dead letters of a definition that the run broke, from before its
	// breaker opened.
	Early int `json:"early_dead_letters,omitempty"`

	// Lost: accepted, and missing where it must be.
	Lost int `json:"lost"`
	// Duplicated: an effect that shows twice.
	Duplicated int `json:"duplicated"`
	// Reordered: a key went back to an older raw record on its topic, or its
	// webhooks lie in several partitions.
	Reordered int `json:"reordered"`
	// Torn transactions: raw records that were committed without their events,
	// or events that came out again because they were not.
	Torn int `json:"torn"`
	// WrongRows differ from the fold of their key's events by version.
	WrongRows int `json:"wrong_rows"`
	// Unexpected: an answer or a dead letter that should not be there.
	Unexpected int `json:"unexpected"`

	Seconds float64 `json:"seconds"`
	// Problems describes the first few.
	Problems []string `json:"problems,omitempty"`
}

// maxProblems bounds what a report describes; the counts go on.
const maxProblems = 20

func (r *Report) problem(counter *int, format string, args ...any) {
	*counter++
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

// OK reports whether every promise held.
func (r *Report) OK() bool {
	return r.Lost == 0 && r.Duplicated == 0 && r.Reordered == 0 && r.WrongRows == 0 && r.Unexpected == 0
}
