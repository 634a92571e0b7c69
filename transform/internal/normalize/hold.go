// SPDX-License-Identifier: Apache-2.0

package normalize

import (
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/stage/breaker"
	"github.com/hookstream/hookstream/stage/crash"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/tracing"
	"github.com/hookstream/hookstream/transform/internal/held"
)

// ours are the reasons that a corrected definition takes away. The others are the
// senders', and do not count.
var ours = []reason.Code{reason.MappingFailed, reason.UnknownProvider}

func (p *prepared) kind() breaker.Kind {
	return breaker.Kind{Tenant: p.tenant, Provider: p.provider, EventType: p.eventType}
}

// broken is the reason of ours for which a record fails, or "".
func (p *prepared) broken() reason.Code {
	if why := failure.ReasonOf(p.err); slices.Contains(ours, why) {
		return why
	}
	return ""
}

// letGo are the kinds for which the breaker is off: PROVIDER or PROVIDER/TYPE.
type letGo map[string]bool

func newLetGo(names []string) letGo {
	l := letGo{}
	for _, name := range names {
		l[name] = true
	}
	return l
}

func (l letGo) has(k breaker.Kind) bool {
	return len(l) > 0 && (l[k.Provider] || l[k.Provider+"/"+k.EventType])
}

// judge asks the breaker about a batch.
func (p *Processor) judge(in []*kgo.Record, results []prepared) breaker.Verdict {
	return p.breaker.Judge(func(yield func(breaker.Outcome) bool) {
		for i := range results {
			r := &results[i]
			why := r.broken()
			if why == "" && r.err != nil || p.letGo.has(r.kind()) {
				continue
			}
			if !yield(breaker.Outcome{Kind: r.kind(), Key: in[i].Key, Reason: why}) {
				return
			}
		}
	})
}

// behindOthers is why a record is held that does not fail itself, as far as is known.
const behindOthers = "waits for earlier records of its key"

// hold holds a record whose kind is stopped, or whose key has an earlier one that is
// held, and reports whether it did. The error is a *kafka.Hold where it cannot.
func (b *batch) hold(r *kgo.Record, p *prepared) (bool, error) {
	if b.held == nil {
		return false, nil
	}
	why, message := p.broken(), behindOthers
	if _, stopped := b.verdict.Open[p.kind()]; !stopped {
		why = ""
	}
	switch {
	case why != "":
		message = p.err.Error()
	case !b.held.Behind(r) || crash.Has(crash.PassHeldKeys):
		return false, nil
	}
	out, err := b.held.Hold(r, p.kind(), why, message)
	if err != nil {
		return false, &kafka.Hold{
			Partitions: []kafka.Partition{partitionOf(r)}, For: breaker.RetryAfter,
			Reason: fmt.Sprintf("%s %.64s cannot be held for its definition's correction: %v; correct the definition and it goes on by itself", p.provider, p.eventType, err),
		}
	}
	tracing.Continue(out, r)
	b.count(r, p.provider, outcomeHeld, why)
	return true, nil
}

// stopped says for the operator what is held, or is "". It names so many kinds.
func (p *Processor) stopped() string {
	const most = 3
	var kinds []*held.Kind
	for k := range p.cfg.Held.Kinds() {
		if k.Causes > 0 {
			kinds = append(kinds, k)
		}
	}
	if len(kinds) == 0 {
		return ""
	}
	slices.SortFunc(kinds, func(a, b *held.Kind) int { return strings.Compare(fmt.Sprint(a.Kind), fmt.Sprint(b.Kind)) })
	var text []string
	for _, k := range kinds[:min(most, len(kinds))] {
		text = append(text, fmt.Sprintf("%s %.64s fails with %s, first at %s: %s", k.Provider, k.EventType, k.Reason, k.First, k.Message))
	}
	if n := len(kinds) - most; n > 0 {
		text = append(text, fmt.Sprintf("and %d more event types", n))
	}
	return strings.Join(text, "; ") + "; they are held, and what follows of their keys, while all others go on; correct the definition and they go on by themselves, " +
		"or have them dead-lettered with HOOKSTREAM_TRANSFORM_DEAD_LETTER"
}
