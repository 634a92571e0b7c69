// SPDX-License-Identifier: Apache-2.0

package check

import (
	"slices"
	"testing"
	"time"

	"github.com/hookstream/hookstream/dev/internal/workload"
)

// perfect simulates a pipeline without faults: what must be observed after the
// plan was sent in order to one partition.
func perfect(plan *workload.Plan) ([]workload.Outcome, *Observed) {
	seen := &Observed{Raw: map[string][]Position{}, Rows: map[RowKey]Row{}, Ledger: map[string]int{}}
	var outcomes []workload.Outcome
	type version struct {
		at     time.Time
		offset int64
	}
	newest := map[RowKey]map[string]version{}
	known := map[string]bool{}
	offset := int64(0)
	for _, phase := range plan.Phases {
		for _, e := range phase {
			if e.Fate == workload.Refused {
				outcomes = append(outcomes, workload.Outcome{Event: e, Code: 401, Attempts: 1})
				continue
			}
			outcomes = append(outcomes, workload.Outcome{Event: e, Code: 202, Attempts: 1, Accepted: 1})
			at := Position{"hookstream.raw", 0, offset}
			offset++
			seen.Raw[e.Serial] = append(seen.Raw[e.Serial], at)
			if e.Fate == workload.DeadLettered && e.Stage == "transform" {
				seen.DeadLetters = append(seen.DeadLetters, DeadLetter{ID: "t" + e.Serial + string(rune(offset)), Stage: e.Stage, Reason: e.Reason, Serial: e.Serial})
				continue
			}
			if known[e.Identity()] {
				continue
			}
			known[e.Identity()] = true
			seen.Published = append(seen.Published, Published{
				Position: Position{"events." + e.Want.Entity + ".v1", 0, offset}, Key: e.Want.ID, Identity: e.Identity(), RawOffset: at.Offset,
			})
			if e.Stage == "sink" {
				seen.DeadLetters = append(seen.DeadLetters, DeadLetter{ID: "s" + e.Serial, Stage: e.Stage, Reason: e.Reason, Identity: e.Identity()})
				continue
			}
			seen.Ledger[e.Identity()]++
			key := RowKey{e.Want.Entity, e.Provider, e.Want.ID}
			if newest[key] == nil {
				newest[key] = map[string]version{}
			}
			row, ok := seen.Rows[key]
			if !ok {
				row.Columns = map[string]string{}
			}
			if v, ok := newest[key][e.Want.Group]; !ok || e.At.After(v.at) || e.At.Equal(v.at) && at.Offset > v.offset {
				newest[key][e.Want.Group] = version{e.At, at.Offset}
				row.Deleted = e.Want.Deleted
				for c, v := range e.Want.Columns {
					row.Columns[c] = v
				}
			}
			seen.Rows[key] = row
		}
	}
	return outcomes, seen
}

func testPlan(seed uint64) *workload.Plan {
	return workload.NewPlan(seed, 2000, "rtest", time.Unix(1_700_000_000, 0), workload.DefaultMix)
}

func TestPerfectRunIsOK(t *testing.T) {
	for seed := range uint64(5) {
		plan := testPlan(seed)
		outcomes, seen := perfect(plan)
		r := Judge(plan, outcomes, seen)
		if !r.OK() || r.Sent != 2000 || r.Events < r.Unique || r.Rows == 0 || r.DeadLetters == 0 || r.Refused == 0 {
			t.Errorf("seed %d: %+v", seed, r)
		}
	}
}

// TestEveryFaultIsSeen breaks one thing at a time.
func TestEveryFaultIsSeen(t *testing.T) {
	appliedSerial := func(p *workload.Plan) string {
		for _, e := range p.Phases[0] {
			if e.Fate == workload.Applied {
				return e.Serial
			}
		}
		t.Fatal("no applied event")
		return ""
	}
	faults := map[string]struct {
		do   func(*workload.Plan, []workload.Outcome, *Observed)
		seen func(*Report) int
	}{
		"raw record lost": {
			func(p *workload.Plan, _ []workload.Outcome, o *Observed) { delete(o.Raw, appliedSerial(p)) },
			func(r *Report) int { return r.Lost },
		},
		"event lost": {
			func(_ *workload.Plan, _ []workload.Outcome, o *Observed) { o.Published = o.Published[1:] },
			func(r *Report) int { return r.Lost },
		},
		"event twice (dedup broken)": {
			func(_ *workload.Plan, _ []workload.Outcome, o *Observed) {
				o.Published = append(o.Published, o.Published[0])
			},
			func(r *Report) int { return r.Duplicated },
		},
		"key goes back": {
			func(p *workload.Plan, _ []workload.Outcome, o *Observed) {
				last := map[string]int{}
				for i, e := range o.Published {
					if j, ok := last[e.Topic+e.Key]; ok {
						o.Published[i], o.Published[j] = o.Published[j], o.Published[i]
						return
					}
					last[e.Topic+e.Key] = i
				}
			},
			func(r *Report) int { return r.Reordered },
		},
		"key in two partitions": {
			func(p *workload.Plan, _ []workload.Outcome, o *Observed) {
				s := appliedSerial(p)
				o.Raw[s] = append(o.Raw[s], Position{"hookstream.raw", 1, 5})
			},
			func(r *Report) int { return r.Reordered },
		},
		"row missing": {
			func(_ *workload.Plan, _ []workload.Outcome, o *Observed) {
				for k := range o.Rows {
					delete(o.Rows, k)
					return
				}
			},
			func(r *Report) int { return r.Lost },
		},
		"row with an old value": {
			func(_ *workload.Plan, _ []workload.Outcome, o *Observed) {
				for k, row := range o.Rows {
					if k.Entity == "payment" {
						row.Columns["status"], row.Columns["charge_status"] = "old", "old"
						return
					}
				}
			},
			func(r *Report) int { return r.WrongRows },
		},
		"deletion undone": {
			func(_ *workload.Plan, _ []workload.Outcome, o *Observed) {
				for k, row := range o.Rows {
					if row.Deleted {
						row.Deleted = false
						o.Rows[k] = row
						return
					}
				}
			},
			func(r *Report) int { return r.WrongRows },
		},
		"ledger row missing": {
			func(_ *workload.Plan, _ []workload.Outcome, o *Observed) {
				for k := range o.Ledger {
					delete(o.Ledger, k)
					return
				}
			},
			func(r *Report) int { return r.Lost },
		},
		"dead letter missing": {
			func(_ *workload.Plan, _ []workload.Outcome, o *Observed) { o.DeadLetters = o.DeadLetters[1:] },
			func(r *Report) int { return r.Lost },
		},
		"dead letter of a good event": {
			func(p *workload.Plan, _ []workload.Outcome, o *Observed) {
				o.DeadLetters = append(o.DeadLetters, DeadLetter{ID: "x", Stage: "transform", Reason: "mapping_failed", Serial: appliedSerial(p)})
			},
			func(r *Report) int { return r.Unexpected },
		},
		"wrong reason": {
			func(_ *workload.Plan, _ []workload.Outcome, o *Observed) { o.DeadLetters[0].Reason = "other" },
			func(r *Report) int { return r.Unexpected },
		},
		"bad signature accepted": {
			func(_ *workload.Plan, out []workload.Outcome, _ *Observed) {
				for i := range out {
					if out[i].Event.Fate == workload.Refused {
						out[i].Code, out[i].Accepted = 202, 1
						return
					}
				}
			},
			func(r *Report) int { return r.Unexpected },
		},
		"good webhook refused": {
			func(_ *workload.Plan, out []workload.Outcome, _ *Observed) {
				for i := range out {
					if out[i].Event.Fate == workload.Applied {
						out[i].Code, out[i].Accepted = 401, 0
						return
					}
				}
			},
			func(r *Report) int { return r.Unexpected },
		},
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			plan := testPlan(7)
			outcomes, seen := perfect(plan)
			f.do(plan, outcomes, seen)
			r := Judge(plan, outcomes, seen)
			if r.OK() || f.seen(r) == 0 {
				t.Errorf("not seen: %+v", r)
			}
			if len(r.Problems) == 0 {
				t.Error("the report describes no problem")
			}
		})
	}
}

// TestReplayMayBeLate: an event that comes after newer ones of its key is a
// fault, unless its webhook was replayed.
func TestReplayMayBeLate(t *testing.T) {
	plan := testPlan(3)
	outcomes, seen := perfect(plan)
	late := -1
	keys := map[string]int{}
	for i, e := range seen.Published {
		if first, again := keys[e.Topic+e.Key]; again {
			late = first
			break
		}
		keys[e.Topic+e.Key] = i
	}
	event := seen.Published[late]
	seen.Published = append(append(seen.Published[:late:late], seen.Published[late+1:]...), event)
	if r := Judge(plan, outcomes, seen); r.Reordered != 1 {
		t.Errorf("without a replay: %+v", r)
	}
	seen.Replays = map[Replay]int{{Origin: Position{"hookstream.raw", 0, event.RawOffset}, Count: "1"}: 1}
	if r := Judge(plan, outcomes, seen); !r.OK() {
		t.Errorf("after a replay: %+v", r)
	}
}

// TestEarlyDeadLettersOfABrokenDefinition: a delivery may be one where the run breaks
// the definition; its event then comes from the next delivery, or from its replay, and
// is still missed where it comes from neither. Of other providers it is unexpected.
func TestEarlyDeadLettersOfABrokenDefinition(t *testing.T) {
	plan := testPlan(3)
	outcomes, seen := perfect(plan)
	at := slices.IndexFunc(seen.Published, func(p Published) bool {
		for serial, e := range plan.Events {
			if e.Identity() == p.Identity && e.Provider == "shopify" && e.Fate == workload.Applied {
				return len(seen.Raw[serial]) == 1
			}
		}
		return false
	})
	identity := seen.Published[at].Identity
	var event *workload.Event
	for _, e := range plan.Events {
		if e.Identity() == identity {
			event = e
		}
	}
	first := seen.Raw[event.Serial][0]
	seen.DeadLetters = append(seen.DeadLetters, DeadLetter{ID: "early", Failed: first, Stage: "transform", Reason: "mapping_failed", Serial: event.Serial})
	if r := Judge(plan, outcomes, seen); r.Unexpected != 1 {
		t.Errorf("of a definition that was not broken: %+v", r)
	}
	plan.Broken = "shopify"
	if r := Judge(plan, outcomes, seen); !r.OK() || r.Early != 1 {
		t.Errorf("replayed: %+v", r)
	}
	second := Position{first.Topic, first.Partition, first.Offset + 1_000_000}
	seen.Raw[event.Serial] = append(seen.Raw[event.Serial], second)
	if r := Judge(plan, outcomes, seen); r.Reordered == 0 {
		t.Errorf("the event of the first delivery, which was given up, is there: %+v", r)
	}
	seen.Published = slices.Delete(seen.Published, at, at+1)
	if r := Judge(plan, outcomes, seen); r.Lost == 0 {
		t.Errorf("nothing came of it: %+v", r)
	}
}
