// SPDX-License-Identifier: Apache-2.0

package check

import (
	"cmp"
	"slices"
	"strings"

	"github.com/hookstream/hookstream/dev/internal/workload"
)

// Judge compares the workload's answers with what came out. It is a pure
// function, so a test can show that each kind of fault is seen.
func Judge(plan *workload.Plan, outcomes []workload.Outcome, seen *Observed) *Report {
	j := judge{
		plan: plan, seen: seen, report: &Report{Run: plan.Run},
		accepted: map[string]int{}, unsure: map[string]bool{},
		byIdentity: map[string]*workload.Event{},
	}
	j.answers(outcomes)
	j.index()
	j.tooEarly()
	j.raw()
	j.replays()
	j.published()
	j.ledger()
	j.rows()
	j.deadLetters()
	return j.report
}

type judge struct {
	plan   *workload.Plan
	seen   *Observed
	report *Report
	// accepted answers by serial; unsure are those with an attempt that was
	// not answered clearly: they may have been stored.
	accepted map[string]int
	unsure   map[string]bool
	// byIdentity are the events that must, or may, take effect.
	byIdentity map[string]*workload.Event
	// origin is the raw record that an event must come from: the first, unless that
	// is a dead letter of a broken definition, and another is not.
	origin map[string]Position
	early  map[Position]bool
	// late are the origins of what was replayed.
	late map[Position]bool
}

func (j *judge) answers(outcomes []workload.Outcome) {
	r := j.report
	for _, o := range outcomes {
		r.Sent++
		e := o.Event
		switch {
		case o.Accepted > 0:
			r.Accepted++
			j.accepted[e.Serial]++
			if e.Fate == workload.Refused {
				r.problem(&r.Unexpected, "%s %s was answered %d and must be refused", e.Provider, e.Serial, o.Code)
			}
		case o.Code >= 400 && o.Code < 500:
			r.Refused++
			if e.Fate != workload.Refused {
				r.problem(&r.Unexpected, "%s %s was answered %d and must be accepted", e.Provider, e.Serial, o.Code)
			}
		default:
			r.Unanswered++
		}
		if o.Attempts > 1 || o.Accepted == 0 && (o.Code == 0 || o.Code >= 500) {
			j.unsure[e.Serial] = true
		}
	}
}

func (j *judge) index() {
	for _, e := range j.plan.Events {
		if e.Fate == workload.Applied {
			j.byIdentity[e.Identity()] = e
			if j.accepted[e.Serial] > 0 {
				j.report.Unique++
			}
		}
	}
}

// tooEarly finds the dead letters from before a breaker opened.
func (j *judge) tooEarly() {
	j.early = map[Position]bool{}
	for _, d := range j.seen.DeadLetters {
		if j.isEarly(d) {
			j.early[d.Failed] = true
		}
	}
	j.report.Early = len(j.early)
}

func (j *judge) isEarly(d DeadLetter) bool {
	e := j.plan.Events[d.Serial]
	return e != nil && e.Fate == workload.Applied && e.Provider == j.plan.Broken && d.Stage == "transform" && d.Reason == "mapping_failed"
}

// raw finds each event's first raw record. Accepted webhooks must be there, and
// all deliveries of one event in one partition.
func (j *judge) raw() {
	j.origin = map[string]Position{}
	for serial, e := range j.plan.Events {
		positions := j.seen.Raw[serial]
		if len(positions) == 0 {
			if j.accepted[serial] > 0 {
				j.report.problem(&j.report.Lost, "%s %s was accepted and is not on the raw topic", e.Provider, serial)
			}
			continue
		}
		if e.Fate == workload.Refused {
			j.report.problem(&j.report.Unexpected, "%s %s was refused and is on the raw topic", e.Provider, serial)
		}
		first := positions[0]
		for _, p := range positions[1:] {
			if e.Fate == workload.Applied && p.Partition != first.Partition {
				j.report.problem(&j.report.Reordered, "%s %s lies in raw partitions %d and %d", e.Provider, serial, first.Partition, p.Partition)
			}
			if early := j.early[p]; early == j.early[first] && p.Offset < first.Offset || !early && j.early[first] {
				first = p
			}
		}
		j.origin[serial] = first
	}
}

// replays checks that no dead letter was sent twice.
func (j *judge) replays() {
	j.late = map[Position]bool{}
	for replay, n := range j.seen.Replays {
		j.late[replay.Origin] = true
		for range n - 1 {
			j.report.problem(&j.report.Duplicated, "replay %s of %v was sent %d times", replay.Count, replay.Origin, n)
		}
	}
}

// published checks that each event is on its topic once, came from its first
// raw record, and that no key went back. Replays come after newer events of their
// key by intent; that they do not beat them shows in the rows.
func (j *judge) published() {
	r := j.report
	count := map[string]int{}
	last := map[string]int64{}
	for _, p := range j.seen.Published {
		e, ours := j.byIdentity[p.Identity]
		if !ours {
			if strings.Contains(p.Identity, j.plan.Run) && !j.sinkPoison(p.Identity) {
				r.problem(&r.Unexpected, "event %s at %s/%d/%d must not be published", p.Identity, p.Topic, p.Partition, p.Offset)
			}
			continue
		}
		r.Events++
		count[p.Identity]++
		if o := j.origin[e.Serial]; o.Partition != p.RawPartition || o.Offset != p.RawOffset {
			r.problem(&r.Reordered, "event %s says it comes from raw %d/%d and its first delivery is at %d/%d", p.Identity, p.RawPartition, p.RawOffset, o.Partition, o.Offset)
		}
		if j.late[j.origin[e.Serial]] {
			continue
		}
		key := p.Topic + " " + p.Key
		if prev, ok := last[key]; ok && p.RawOffset < prev {
			r.problem(&r.Reordered, "%s went back from raw offset %d to %d", key, prev, p.RawOffset)
		}
		last[key] = p.RawOffset
	}
	before := r.Lost + r.Duplicated
	j.once("event", count)
	// All raw records are committed when this is judged.
	r.Torn = r.Lost + r.Duplicated - before
}

// sinkPoison reports whether the identity is of an event that is published and
// then given up by the sink.
func (j *judge) sinkPoison(identity string) bool {
	for _, e := range j.plan.Events {
		if e.Stage == "sink" && e.Identity() == identity {
			return true
		}
	}
	return false
}

// once checks that every event that must take effect is counted exactly once.
func (j *judge) once(what string, count map[string]int) {
	r := j.report
	for identity, e := range j.byIdentity {
		n := count[identity]
		switch {
		case n == 0 && j.accepted[e.Serial] > 0:
			r.problem(&r.Lost, "%s of %s is missing", what, identity)
		case n > 1:
			for range n - 1 {
				r.problem(&r.Duplicated, "%s of %s is there %d times", what, identity, n)
			}
		}
	}
}

func (j *judge) ledger() { j.once("ledger row", j.seen.Ledger) }

// rows checks every row against the fold of its key's events by version: for
// each group of fields, the newest event's values.
func (j *judge) rows() {
	r := j.report
	for key, events := range j.byRow() {
		row, ok := j.seen.Rows[key]
		if !ok {
			r.problem(&r.Lost, "row %s %s %s is missing", key.Entity, key.Provider, key.ID)
			continue
		}
		r.Rows++
		deleted, want := fold(events)
		if row.Deleted != deleted {
			r.problem(&r.WrongRows, "row %s %s: deleted is %t, want %t", key.Entity, key.ID, row.Deleted, deleted)
			continue
		}
		for column, value := range want {
			if got := row.Columns[column]; got != value {
				r.problem(&r.WrongRows, "row %s %s: %s is %q, want %q", key.Entity, key.ID, column, got, value)
				break
			}
		}
	}
}

// byRow groups the events that reached the raw topic by their row, in version
// order.
func (j *judge) byRow() map[RowKey][]*workload.Event {
	rows := map[RowKey][]*workload.Event{}
	for _, e := range j.byIdentity {
		if _, stored := j.origin[e.Serial]; stored {
			key := RowKey{e.Want.Entity, e.Provider, e.Want.ID}
			rows[key] = append(rows[key], e)
		}
	}
	for _, events := range rows {
		slices.SortFunc(events, func(a, b *workload.Event) int {
			return cmp.Or(a.At.Compare(b.At), cmp.Compare(j.origin[a.Serial].Offset, j.origin[b.Serial].Offset))
		})
	}
	return rows
}

func fold(events []*workload.Event) (deleted bool, columns map[string]string) {
	columns = map[string]string{}
	for _, e := range events {
		deleted = e.Want.Deleted
		for name, value := range e.Want.Columns {
			columns[name] = value
		}
	}
	return deleted, columns
}

// deadLetters checks that each is one that must be, and that none is missing.
// The deliveries of a webhook that transform gives up are a dead letter each.
func (j *judge) deadLetters() {
	r := j.report
	poison := map[string]*workload.Event{} // by identity, for the sink's
	for _, e := range j.plan.Events {
		if e.Stage == "sink" {
			poison[e.Identity()] = e
		}
	}
	found := map[string]int{}
	ids := map[string]bool{}
	for _, d := range j.seen.DeadLetters {
		e := j.plan.Events[d.Serial]
		if e == nil {
			e = poison[d.Identity]
		}
		if e == nil && !strings.Contains(d.Serial+d.Identity, j.plan.Run) || ids[d.ID] {
			continue // of another run, or a copy of one failure
		}
		ids[d.ID] = true
		r.DeadLetters++
		if j.isEarly(d) {
			continue
		}
		if e == nil || e.Fate != workload.DeadLettered || e.Stage != d.Stage || e.Reason != d.Reason {
			r.problem(&r.Unexpected, "dead letter %s (%s%s): %s by %s", d.ID, d.Serial, d.Identity, d.Reason, d.Stage)
			continue
		}
		found[e.Serial]++
	}
	j.missingDeadLetters(found)
}

func (j *judge) missingDeadLetters(found map[string]int) {
	r := j.report
	for serial, e := range j.plan.Events {
		if e.Fate != workload.DeadLettered || j.accepted[serial] == 0 {
			continue
		}
		want := len(j.seen.Raw[serial])
		if e.Stage == "sink" {
			want = 1 // the repeats were dropped before
		}
		for range max(0, want-found[serial]) {
			r.problem(&r.Lost, "dead letter of %s (%s) is missing", serial, e.Reason)
		}
		for range max(0, found[serial]-want) {
			r.problem(&r.Duplicated, "dead letter of %s (%s) is there %d times, want %d", serial, e.Reason, found[serial], want)
		}
	}
}
