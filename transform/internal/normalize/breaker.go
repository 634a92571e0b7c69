// SPDX-License-Identifier: Apache-2.0

package normalize

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/transact"
)

// The breaker opens for an event type of a tenant's provider when, of what came
// lately, at least leastFailures failed for the same reason, over leastKeys
// business keys, and they are the larger part. Fewer may be bad data, and bad
// data is what dead letters are for.
const (
	leastFailures = 20
	leastKeys     = 5
	// memory is how many outcomes of a type count before they fade.
	memory = 200
	// maxKinds bounds the types that are watched; senders choose their names.
	maxKinds = 10_000
	// retryAfter is how long partitions wait until they are tried again.
	retryAfter = 10 * time.Second
)

// ours are the reasons that a corrected definition takes away.
var ours = []reason.Code{reason.MappingFailed, reason.UnknownProvider}

// kind is what fails or works together: one rule of one definition, most often.
type kind struct{ tenant, provider, eventType string }

// outcomes say how a kind has done lately.
type outcomes struct {
	total    int
	failures map[reason.Code]int
	// keys are the business keys that failed, up to leastKeys of them.
	keys []string
}

func (o *outcomes) add(key []byte, why reason.Code) {
	o.total++
	if why == "" {
		return
	}
	o.failures[why]++
	if len(o.keys) < leastKeys && !slices.Contains(o.keys, string(key)) {
		o.keys = append(o.keys, string(key))
	}
}

// fade halves what is remembered, so that the past counts less and less.
func (o *outcomes) fade() {
	if o.total < memory {
		return
	}
	o.total /= 2
	for why := range o.failures {
		o.failures[why] /= 2
	}
}

// opens reports for which reason the breaker opens, or "".
func (o *outcomes) opens() reason.Code {
	for why, n := range o.failures {
		if n >= leastFailures && 2*n > o.total && len(o.keys) >= leastKeys {
			return why
		}
	}
	return ""
}

// breaker keeps something wrong with us from flooding the dead-letter topic. It
// is for one goroutine.
type breaker struct {
	lately map[kind]*outcomes
}

// verdict is what a batch would do to the breaker.
type verdict struct {
	*breaker
	after map[kind]*outcomes
	open  map[kind]reason.Code
}

func newBreaker() *breaker { return &breaker{lately: map[kind]*outcomes{}} }

// judge looks at what became of a batch, before anything of it is output. Nothing
// is remembered until commit.
func (b *breaker) judge(in []*kgo.Record, results []prepared) verdict {
	v := verdict{breaker: b, after: map[kind]*outcomes{}, open: map[kind]reason.Code{}}
	for i, r := range results {
		why := failure.ReasonOf(r.err)
		if why != "" && !slices.Contains(ours, why) {
			continue
		}
		k := kind{r.tenant, r.provider, r.eventType}
		o := v.after[k]
		if o == nil {
			o = b.copyOf(k)
			v.after[k] = o
		}
		o.add(in[i].Key, why)
	}
	for k, o := range v.after {
		if why := o.opens(); why != "" {
			v.open[k] = why
		}
	}
	return v
}

func (b *breaker) copyOf(k kind) *outcomes {
	o := &outcomes{failures: map[reason.Code]int{}}
	if was := b.lately[k]; was != nil {
		o.total, o.keys = was.total, slices.Clone(was.keys)
		for why, n := range was.failures {
			o.failures[why] = n
		}
	}
	return o
}

// commit remembers the outcomes of a batch that was output.
func (v verdict) commit() {
	for k, o := range v.after {
		if len(o.failures) == 0 {
			delete(v.lately, k) // whoever works is not worth the memory
			continue
		}
		if len(v.lately) >= maxKinds {
			clear(v.lately)
		}
		o.fade()
		v.lately[k] = o
	}
}

// hold says which partitions must wait, and why, or is nil.
func (v verdict) hold(in []*kgo.Record, results []prepared) *transact.Hold {
	if len(v.open) == 0 {
		return nil
	}
	h := &transact.Hold{For: retryAfter}
	for i, r := range results {
		why, open := v.open[kind{r.tenant, r.provider, r.eventType}]
		if !open || failure.ReasonOf(r.err) != why {
			continue
		}
		if h.Reason == "" {
			h.Reason = fmt.Sprintf("%s %.64s fails with %s, first at %s: %v; correct the definition and it goes on by itself",
				r.provider, r.eventType, why, record.PositionOf(in[i]), r.err)
		}
		p := transact.Partition{Topic: in[i].Topic, Partition: in[i].Partition}
		if !slices.Contains(h.Partitions, p) {
			h.Partitions = append(h.Partitions, p)
		}
	}
	return h
}
