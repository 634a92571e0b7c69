// SPDX-License-Identifier: Apache-2.0

package normalize

import (
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/stage/breaker"
	"github.com/hookstream/hookstream/stage/failure"
)

// share is a number of records of one event type that end alike, in a partition
// of their own.
type share struct {
	eventType string
	n, keys   int
	why       reason.Code
}

func batchOf(shares ...share) (in []*kgo.Record, results []prepared) {
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
	return in, results
}

// TestBreakerCountsWhatIsOurs: and nothing of what it is off for.
func TestBreakerCountsWhatIsOurs(t *testing.T) {
	for name, c := range map[string]struct {
		batch []share
		open  bool
	}{
		"most of a type":                {[]share{{"a", 20, 5, reason.MappingFailed}}, true},
		"most of one type among others": {[]share{{"a", 20, 5, reason.MappingFailed}, {"b", 1000, 5, ""}}, true},
		"and bad data beside it":        {[]share{{"a", 20, 5, reason.MappingFailed}, {"a", 100, 5, reason.MalformedBody}}, true},
		"bad data":                      {[]share{{"a", 500, 50, reason.MalformedBody}}, false},
		"what definitions dead-letter":  {[]share{{"a", 500, 50, reason.Unmapped}}, false},
	} {
		in, results := batchOf(c.batch...)
		p := &Processor{breaker: breaker.New()}
		_, open := p.judge(in, results).Open[breaker.Kind{Tenant: "default", Provider: "acme", EventType: "a"}]
		if open != c.open {
			t.Errorf("%s: open is %v", name, open)
		}
		p.letGo = newLetGo([]string{"acme/a"})
		if v := p.judge(in, results); len(v.Open) > 0 {
			t.Errorf("%s: open for %v, where it is off", name, v.Open)
		}
	}
}
