// SPDX-License-Identifier: Apache-2.0

package action

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// Plan is what a job would do. Making one changes nothing.
type Plan struct {
	// Targets counts the dead letters to be sent by topic; for a discard,
	// under "".
	Targets map[string]int
	// Refused lists the selected dead letters that will not be touched.
	Refused []Refusal
	// Missing are the IDs that no dead letter has.
	Missing []string
	// Hopeless counts, among those to be sent, the reasons that a replay
	// cannot mend.
	Hopeless map[reason.Code]int
	// Beyond is how many more the limit left out.
	Beyond int
	// Sent is how many the replay sent before, under the same ID, and Again how
	// many that it would select came of that: they failed again.
	Sent, Again int
	// Edited is how many are sent with another payload, and EditExample the
	// difference of the first.
	Edited      int
	EditExample string
	// Identified is how many are sent under an identity that ingest did not find.
	Identified int

	// Skipped says, after a Run that came to its end, why it did less than was
	// planned: something changed meanwhile.
	Skipped []Refusal

	// last is the position of the last dead letter to act on in each
	// partition. Letters that arrive later were not confirmed by anyone.
	last map[int32]int64
}

// Refusal is why some dead letters are not touched.
type Refusal struct {
	Why   string `json:"why"`
	Count int    `json:"count"`
	// Example is one dead letter's ID, where one is known.
	Example string `json:"example"`
}

// Total is how many dead letters will be acted on.
func (p *Plan) Total() int {
	n := 0
	for _, count := range p.Targets {
		n += count
	}
	return n
}

// Complete reports whether everything that was selected will be acted on, or was
// before, and that is something.
func (p *Plan) Complete() bool { return p.Total()+p.Sent > 0 && len(p.Refused)+len(p.Missing) == 0 }

// Plan looks at every dead letter once.
func (j *Job) Plan(ctx context.Context) (*Plan, error) {
	resolved, err := resolutions.Read(ctx, j.Kafka, j.Log)
	if err != nil {
		return nil, err
	}
	p := &Plan{Targets: map[string]int{}, Hopeless: map[reason.Code]int{}, last: map[int32]int64{}}
	named := map[string]bool{}
	for _, id := range j.IDs {
		named[id] = true
	}
	missing, looked := maps.Clone(named), 0
	limit := j.left(resolved)
	err = letters.Read(ctx, j.Kafka, j.Log, nil, j.Foreign, func(l *letters.Letter) error {
		looked++
		j.Planned(looked)
		matches, sent := resolved.Status(l) == j.from(), j.sent(l, resolved)
		if sent {
			p.Sent++
		}
		switch unreadable := resolved.Unreadable(l); {
		case unreadable != nil && (named[l.ID] || len(named) == 0 && j.Match(l)):
			delete(missing, l.ID)
			p.refuse("its last resolution is "+unreadable.String(), l.ID)
			return nil
		case named[l.ID]:
			delete(missing, l.ID)
			if !matches && !sent {
				p.refuse(unsuited(resolved.Get(l)), l.ID)
			}
			if !matches {
				return nil
			}
		case len(named) > 0 || !matches || !j.Match(l):
			return nil
		case j.cameOf(l):
			p.Again++
			return nil
		}
		if p.Total() >= limit {
			p.Beyond++
			return nil
		}
		p.add(j, l)
		return nil
	})
	p.Missing = slices.Sorted(maps.Keys(missing))
	slices.SortFunc(p.Refused, func(a, b Refusal) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Why, b.Why)) })
	return p, err
}

// left is how many dead letters the job may still act on. What the replay sent
// before counts too: to go on with it is not to begin again.
func (j *Job) left(resolved *resolutions.Set) int {
	if j.Limit == 0 {
		return math.MaxInt
	}
	if j.ReplayID == "" {
		return j.Limit
	}
	return j.Limit - resolved.Sent(j.ReplayID)
}

// sent reports whether the replay, which is then gone on with, sent a dead letter
// before.
func (j *Job) sent(l *letters.Letter, resolved *resolutions.Set) bool {
	return j.ReplayID != "" && resolved.Status(l) == string(record.Replayed) && resolved.Get(l).ReplayID == j.ReplayID
}

// cameOf reports whether a dead letter came of the replay. To go on with it is not
// to send again what failed again, unless that is named.
func (j *Job) cameOf(l *letters.Letter) bool { return j.ReplayID != "" && l.ReplayID() == j.ReplayID }

// Refuses says why the job would leave a dead letter alone however it is edited,
// or "".
func (j *Job) Refuses(l *letters.Letter, resolved *resolutions.Set) string {
	if u := resolved.Unreadable(l); u != nil {
		return "its last resolution is " + u.String()
	}
	if resolved.Status(l) != j.from() {
		return unsuited(resolved.Get(l))
	}
	if err := unidentified(l); err != nil && j.Identify == nil {
		return err.Error()
	}
	edited := *j
	edited.Identify = nil // it is the edited payload that is identified
	_, refusal := edited.decide(l)
	return refusal
}

// unsuited says why the status of a dead letter that was named rules it out.
func unsuited(r *record.Resolution) string {
	if r == nil || r.Action == record.Reopened {
		return "it is open: there is no discard to take back"
	}
	return fmt.Sprintf("%s already, by %s at %s", r.Action, r.By, r.At.Format(time.RFC3339))
}

func (p *Plan) add(j *Job, l *letters.Letter) {
	a, refusal := j.decide(l)
	if refusal != "" {
		p.refuse(refusal, l.ID)
		return
	}
	to := ""
	if a.record != nil {
		to = a.record.Topic
		if a.edit == nil && a.identity == nil && hopeless[l.Reason] {
			p.Hopeless[l.Reason]++
		}
	}
	if a.edit != nil {
		if p.Edited++; p.Edited == 1 {
			p.EditExample = a.edit.Diff
		}
	}
	if a.identity != nil {
		p.Identified++
	}
	p.Targets[to]++
	p.last[l.At.Partition] = l.At.Offset
}

// maxRefusals bounds the reasons that are told apart: one may quote a payload.
const maxRefusals = 50

const furtherReasons = "for further reasons; select fewer to see them"

func (p *Plan) refuse(why, id string) { p.Refused = refuse(p.Refused, why, id) }

func refuse(refused []Refusal, why, id string) []Refusal {
	for i := range refused {
		if refused[i].Why == why {
			refused[i].Count++
			return refused
		}
	}
	if len(refused) >= maxRefusals {
		why = furtherReasons
		if refused[len(refused)-1].Why == why {
			refused[len(refused)-1].Count++
			return refused
		}
	}
	return append(refused, Refusal{Why: why, Count: 1, Example: id})
}

// decidedMeanwhile is why a run does less where it refused nothing: what another
// operator decided on after the plan was made, it no longer finds as planned.
const decidedMeanwhile = "decided on by somebody else since the plan was made, as dlq history tells, or deleted by the topic's retention"

// skip adds what was neither done nor refused.
func (p *Plan) skip(done int) {
	rest := p.Total() - done
	for _, s := range p.Skipped {
		rest -= s.Count
	}
	if rest > 0 {
		p.Skipped = append(p.Skipped, Refusal{Why: decidedMeanwhile, Count: rest})
	}
}

// hopeless are the reasons that no replay can mend. One of a newer version is
// not among them.
var hopeless = func() map[reason.Code]bool {
	codes := map[reason.Code]bool{}
	for _, i := range reason.All() {
		codes[i.Code] = !i.Replayable
	}
	return codes
}()
