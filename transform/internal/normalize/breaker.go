// SPDX-License-Identifier: Apache-2.0

package normalize

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/breaker"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
)

// ours are the reasons that a corrected definition takes away. The others are the
// senders', and do not count.
var ours = []reason.Code{reason.MappingFailed, reason.UnknownProvider}

func (p *prepared) kind() breaker.Kind {
	return breaker.Kind{Tenant: p.tenant, Provider: p.provider, EventType: p.eventType}
}

// judge asks the breaker about a batch.
func judge(b *breaker.Breaker, in []*kgo.Record, results []prepared) breaker.Verdict {
	return b.Judge(func(yield func(breaker.Outcome) bool) {
		for i := range results {
			why := failure.ReasonOf(results[i].err)
			if why != "" && !slices.Contains(ours, why) {
				continue
			}
			if !yield(breaker.Outcome{Kind: results[i].kind(), Key: in[i].Key, Reason: why}) {
				return
			}
		}
	})
}

// hold says which partitions must wait, and why, or is nil.
func hold(v breaker.Verdict, in []*kgo.Record, results []prepared) *kafka.Hold {
	if len(v.Open) == 0 {
		return nil
	}
	h := &kafka.Hold{For: breaker.RetryAfter}
	for i := range results {
		r := &results[i]
		why, open := v.Open[r.kind()]
		if !open || failure.ReasonOf(r.err) != why {
			continue
		}
		if h.Reason == "" {
			h.Reason = fmt.Sprintf("%s %.64s fails with %s, first at %s: %v; correct the definition and it goes on by itself",
				r.provider, r.eventType, why, record.PositionOf(in[i]), r.err)
		}
		p := kafka.Partition{Topic: in[i].Topic, Partition: in[i].Partition}
		if !slices.Contains(h.Partitions, p) {
			h.Partitions = append(h.Partitions, p)
		}
	}
	return h
}
