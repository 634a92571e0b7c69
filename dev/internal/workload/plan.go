// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// Plan is what will be sent.
type Plan struct {
	Run string
	// Events by serial.
	Events map[string]*Event
	// Broken is the provider whose definition the run breaks for a while, or "".
	// What fails before that is noticed may be a dead letter.
	Broken string
	// Deliveries in sending order. Those of a phase are sent at once, by
	// many connections; the next phase starts when all are answered.
	Phases [][]*Event
}

// Mix says how much of what a plan holds, in percent of its deliveries.
type Mix struct {
	Duplicates, Poison, Conflicts int
	// Reorder is how far a delivery may move from its place.
	Reorder int
}

// DefaultMix is what an unfriendly day looks like.
var DefaultMix = Mix{Duplicates: 20, Poison: 4, Conflicts: 1, Reorder: 40}

// NewPlan draws n deliveries from the seed. Run tells plans on the same data
// apart; base is the time around which the events happened.
func NewPlan(seed uint64, n int, run string, base time.Time, mix Mix) *Plan {
	rng := rand.New(rand.NewPCG(seed, seed>>1|1))
	g := &generator{rng: rng, run: run, base: base}
	p := &Plan{Run: run, Events: map[string]*Event{}}
	late := n * mix.Conflicts / 100
	first := p.draw(g, n-late, mix)
	shuffleNear(rng, first, mix.Reorder)
	p.Phases = [][]*Event{first, p.drawLate(g, first, late)}
	return p
}

// draw fills a phase with stories, duplicates of their events, and poison.
func (p *Plan) draw(g *generator, n int, mix Mix) []*Event {
	stories := []func() []*Event{g.payment, g.payment, g.customer, g.issue, g.order, g.unmapped}
	var out []*Event
	add := func(e *Event) {
		p.Events[e.Serial] = e
		out = append(out, e)
	}
	for len(out) < n {
		if g.rng.IntN(100) < mix.Poison {
			add(g.poison())
		}
		for _, e := range stories[g.rng.IntN(len(stories))]() {
			add(e)
			if g.rng.IntN(100) < mix.Duplicates {
				for range 1 + g.rng.IntN(2) {
					out = append(out, e)
				}
			}
		}
	}
	return out[:n]
}

// drawLate is what only makes sense after the first phase was accepted: other
// data under an identity that was used, and duplicates long after.
func (p *Plan) drawLate(g *generator, first []*Event, n int) []*Event {
	var out []*Event
	for tries := 0; len(out) < n && tries < 20*n; tries++ {
		e := first[g.rng.IntN(len(first))]
		if e.Fate != Applied {
			continue
		}
		if e.Want.Entity == "customer" {
			c := g.conflict(e)
			p.Events[c.Serial] = c
			out = append(out, c)
		} else {
			out = append(out, e)
		}
	}
	return out
}

// shuffleNear swaps deliveries with others at most distance away.
func shuffleNear(rng *rand.Rand, list []*Event, distance int) {
	if distance < 1 {
		return
	}
	for i := range list {
		j := min(i+rng.IntN(distance), len(list)-1)
		list[i], list[j] = list[j], list[i]
	}
}

// Run names a run by its time.
func Run(t time.Time) string { return "r" + strconv.FormatInt(t.UnixMilli(), 36) }
