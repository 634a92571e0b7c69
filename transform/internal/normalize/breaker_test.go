// SPDX-License-Identifier: Apache-2.0

package normalize

import (
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/stage/failure"
)

// share is a number of records of one event type that end alike.
type share struct {
	eventType string
	n, keys   int
	why       reason.Code
}

func judged(b *breaker, shares ...share) (verdict, []*kgo.Record, []prepared) {
	var in []*kgo.Record
	var results []prepared
	for partition, s := range shares {
		for i := range s.n {
			in = append(in, &kgo.Record{Topic: "raw", Partition: int32(partition), Offset: int64(i), Key: fmt.Append(nil, "key", i%s.keys)})
			p := prepared{provider: "acme", tenant: "default", eventType: s.eventType}
			if s.why != "" {
				p.err = failure.NewPermanent(s.why, errors.New("no such field"))
			}
			results = append(results, p)
		}
	}
	return b.judge(in, results), in, results
}

func TestBreakerOpens(t *testing.T) {
	for name, c := range map[string]struct {
		batch []share
		open  bool
	}{
		"most of a type":                    {[]share{{"a", 20, 5, reason.MappingFailed}}, true},
		"most of one type among others":     {[]share{{"a", 20, 5, reason.MappingFailed}, {"b", 1000, 5, ""}}, true},
		"too few":                           {[]share{{"a", 19, 5, reason.MappingFailed}}, false},
		"one sick key":                      {[]share{{"a", 500, 1, reason.MappingFailed}}, false},
		"the smaller part":                  {[]share{{"a", 20, 5, reason.MappingFailed}, {"a", 20, 5, ""}}, false},
		"bad data":                          {[]share{{"a", 500, 50, reason.MalformedBody}}, false},
		"what the definition dead-letters":  {[]share{{"a", 500, 50, reason.Unmapped}}, false},
		"two reasons, none of them of most": {[]share{{"a", 20, 5, reason.MappingFailed}, {"a", 20, 5, reason.UnknownProvider}}, false},
	} {
		v, in, results := judged(newBreaker(), c.batch...)
		if hold := v.hold(in, results); (hold != nil) != c.open {
			t.Errorf("%s: %v", name, hold)
		} else if hold != nil && (len(hold.Partitions) != 1 || hold.Partitions[0].Partition != 0) {
			t.Errorf("%s: %v wait, want the partition of the failures", name, hold.Partitions)
		}
	}
}

func TestBreakerCountsOverBatches(t *testing.T) {
	b := newBreaker()
	for i := range leastFailures {
		_, in, results := judged(b, share{"a", 1, 1, reason.MappingFailed})
		in[0].Key = fmt.Append(nil, i)
		v := b.judge(in, results)
		if open := v.hold(in, results) != nil; open != (i == leastFailures-1) {
			t.Fatalf("after %d failures one by one the breaker is open: %v", i+1, open)
		}
		v.commit()
	}
}

func TestBreakerForgetsWhatWasNotCommittedAndFades(t *testing.T) {
	b := newBreaker()
	judged(b, share{"a", 19, 5, reason.MappingFailed})
	if len(b.lately) != 0 {
		t.Error("an aborted batch is remembered")
	}
	v, _, _ := judged(b, share{"a", 19, 5, reason.MappingFailed})
	v.commit()
	for range 10 {
		v, _, _ = judged(b, share{"a", memory, 5, ""})
		v.commit()
	}
	if o := b.lately[kind{"default", "acme", "a"}]; o != nil && o.failures[reason.MappingFailed] > 1 {
		t.Errorf("%d old failures still count", o.failures[reason.MappingFailed])
	}
}

func TestBreakerIsBounded(t *testing.T) {
	b := newBreaker()
	for i := range maxKinds + 10 {
		v, _, _ := judged(b, share{fmt.Sprint(i), 1, 1, reason.MappingFailed})
		v.commit()
	}
	if len(b.lately) > maxKinds {
		t.Errorf("%d types are watched", len(b.lately))
	}
}
