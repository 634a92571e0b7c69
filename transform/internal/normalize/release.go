// SPDX-License-Identifier: Apache-2.0

package normalize

import (
	"context"
	"log/slog"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/breaker"
	"github.com/hookstream/hookstream/stage/crash"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/transact"
	"github.com/hookstream/hookstream/transform/internal/held"
)

// lookEvery is how often a reason to release is looked for while something is held.
const lookEvery = time.Second

// releases is how far the processor is with what is held. What a mapping says of a
// record depends on nothing but its definition, so one pass over all that is held is
// made whenever the definitions in force change, the breaker closes for a kind, or
// partitions were restored; between them there is nothing to try.
type releases struct {
	// look is when to look again.
	look    time.Time
	catalog Catalog
	// generation counts the reasons for a pass.
	generation int
	passes     map[kafka.Partition]*pass
}

// pass goes over what is held of a partition, once, in order.
type pass struct {
	generation int
	// next is the offset among the held records to go on at.
	next int64
	// stay are the keys of which a record went on to be held: nothing behind it may
	// be released.
	stay     map[uint64]bool
	released int
	done     bool
}

// Due is when to look whether something can be released; never where nothing is held.
func (p *Processor) Due() time.Time {
	if p.cfg.Held.Empty() {
		return time.Time{}
	}
	return p.releases.look
}

// Work releases held records, in order, as far as their definitions let them: what
// fails for its sender's reasons now is dead-lettered, and what still fails for ours
// stays, with all that is behind it of its key.
func (p *Processor) Work(ctx context.Context) (transact.Output, error) {
	p.releases.look = time.Now().Add(lookEvery)
	p.lookForReasons(ctx)
	part, way := p.unfinished()
	if way == nil {
		p.report(ctx)
		return transact.Output{}, nil
	}
	chunk, err := p.cfg.Held.Read(ctx, part, way.next, p.cfg.MaxRecords)
	if err != nil {
		return transact.Output{}, err
	}
	p.releases.look = time.Now() // there may be more
	p.lost(ctx, chunk.Missing)
	switch {
	case len(chunk.Items) > 0:
		return p.release(ctx, part, way, chunk)
	case len(chunk.Missing) > 0:
		way.next = chunk.Next
	default:
		p.finish(ctx, part, way)
	}
	return transact.Output{}, nil
}

// lookForReasons begins a new generation of passes where there is one.
func (p *Processor) lookForReasons(ctx context.Context) {
	r := &p.releases
	if catalog := p.cfg.Definitions(); !maps.Equal(catalog, r.catalog) {
		r.catalog = catalog
		r.generation++
	}
	if _, way := p.unfinished(); way != nil {
		return
	}
	if p.close(ctx) {
		r.generation++
	}
}

// close closes the breaker for the kinds of which not the larger part fails any more:
// what works was output, what fails is held. It reports whether some of what is held
// is dead-lettered now, as bad data is.
func (p *Processor) close(ctx context.Context) (more bool) {
	for k, worked := range p.breaker.Opened() {
		causes := p.cfg.Held.Causes(k)
		if worked < causes {
			continue
		}
		p.breaker.Close(k)
		p.cfg.Log.InfoContext(ctx, "event type goes on", kindAttr(k), "worked", worked, "failing", causes)
		more = more || causes > 0
	}
	return more
}

// unfinished is a partition whose pass is not done, or nil.
func (p *Processor) unfinished() (kafka.Partition, *pass) {
	r := &p.releases
	for _, part := range p.cfg.Held.Partitions() {
		way := r.passes[part]
		if way == nil {
			// All of it was held under the definitions in force.
			way = &pass{generation: r.generation, done: true}
			r.passes[part] = way
		}
		if way.generation != r.generation {
			*way = pass{generation: r.generation, stay: map[uint64]bool{}}
		}
		if !way.done {
			return part, way
		}
	}
	return kafka.Partition{}, nil
}

// finish ends a pass.
func (p *Processor) finish(ctx context.Context, part kafka.Partition, way *pass) {
	way.done = true
	if way.released > 0 {
		p.cfg.Log.InfoContext(ctx, "held records were released", "partition", part.String(), "released", way.released, "held", p.cfg.Held.Len())
	}
}

// lost tells of held records that somebody deleted.
func (p *Processor) lost(ctx context.Context, missing []*held.Item) {
	if len(missing) == 0 {
		return
	}
	p.cfg.Held.Drop(missing)
	p.cfg.Log.ErrorContext(ctx, "held records are no longer in their topic: somebody deleted them; what the raw topic still has can be sent again",
		"records", len(missing), "topic", p.cfg.Kafka.Topics.Held)
}

// release makes the output of a chunk.
func (p *Processor) release(ctx context.Context, part kafka.Partition, way *pass, chunk held.Chunk) (transact.Output, error) {
	in := make([]*kgo.Record, len(chunk.Items))
	for i, it := range chunk.Items {
		in[i] = it.Raw
	}
	b := p.begin()
	results := b.prepareAll(ctx, in)
	b.verdict = p.judgeHeld(chunk.Items, results)
	b.held = p.cfg.Held.Begin()
	stay, released := maps.Clone(way.stay), 0
	for i, it := range chunk.Items {
		if b.fails(it, &results[i]) {
			b.held.Stay(it, results[i].broken(), results[i].err.Error())
			stay[it.Key] = true
		}
		if stay[it.Key] {
			continue
		}
		if err := b.settle(it.Raw, &results[i], failure.Once); err != nil {
			return transact.Output{}, err
		}
		b.held.Release(it)
		released++
	}
	crash.At(crash.BeforeRelease)
	out := b.output(ctx)
	committed := out.Committed
	out.Fence = []kafka.Partition{part}
	out.Committed = func() {
		crash.At(crash.AfterRelease)
		committed()
		way.next, way.stay = chunk.Next, stay
		way.released += released
		if p.cfg.Held.Empty() { // and nobody asks for work again
			p.finish(ctx, part, way)
			p.close(ctx)
			p.report(ctx)
		}
	}
	return out, nil
}

// fails reports whether a held record stays for its own sake.
func (b *batch) fails(it *held.Item, p *prepared) bool {
	if p.broken() == "" || b.letGo.has(p.kind()) {
		return false
	}
	_, stopped := b.verdict.Open[p.kind()]
	return stopped || b.breaker.IsOpen(p.kind()) || it.Cause && b.breaker.IsOpen(it.Kind)
}

// judgeHeld asks the breaker about a chunk. Records that failed before are known to
// it: only that they work now counts, for the kind that they were of.
func (p *Processor) judgeHeld(items []*held.Item, results []prepared) breaker.Verdict {
	return p.breaker.Judge(func(yield func(breaker.Outcome) bool) {
		for i, it := range items {
			r := &results[i]
			why, kind := r.broken(), r.kind()
			if why == "" && r.err != nil || p.letGo.has(kind) {
				continue
			}
			if it.Cause {
				if kind = it.Kind; why != "" || !p.breaker.IsOpen(kind) {
					continue
				}
			}
			if !yield(breaker.Outcome{Kind: kind, Key: it.Raw.Key, Reason: why}) {
				return
			}
		}
	})
}

func kindAttr(k breaker.Kind) slog.Attr {
	return slog.Group("kind", slog.String("tenant", k.Tenant), slog.String("provider", k.Provider), slog.String("type", truncated(k.EventType)))
}

// truncated bounds what a sender chooses in a log line.
func truncated(s string) string {
	const most = 64
	return s[:min(most, len(s))]
}
