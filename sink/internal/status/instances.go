// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"

	"github.com/hookstream/hookstream/sink/internal/attempts"
	"github.com/hookstream/hookstream/stage/kafka"
)

// maxStateBytes bounds what an instance may answer.
const maxStateBytes = 4 << 20

// askInstances asks every instance what it tries again. What does not answer is
// in the report as unknown.
func (c *collection) askInstances(ctx context.Context) error {
	addresses := c.Instances
	if len(addresses) == 0 {
		addresses = c.memberAddresses()
	}
	c.states = make([]Instance, len(addresses))
	var wg sync.WaitGroup
	for i, a := range addresses {
		wg.Go(func() {
			c.states[i].Address = a
			state, err := ask(ctx, a)
			if err == nil {
				err = c.ours(state)
			}
			if err != nil {
				c.states[i].Error = err.Error()
				return
			}
			c.states[i].State = known(*state)
		})
	}
	wg.Wait()
	return nil
}

// memberAddresses are where the members of the group should listen.
func (c *collection) memberAddresses() []string {
	var addresses []string
	for _, m := range c.kafka.owners {
		addresses = append(addresses, net.JoinHostPort(m.host, c.AdminPort))
	}
	slices.Sort(addresses)
	return slices.Compact(addresses)
}

// ours says no where another installation's sink has answered: two on one machine
// have their ports one after the other.
func (c *collection) ours(s *attempts.State) error {
	switch {
	case !c.kafka.hasMembers || c.kafka.members[s.Member]:
		return nil
	case s.Member == "":
		return fmt.Errorf("it does not say which member of group %s it is: it has not joined yet, or is older", c.Group)
	}
	return fmt.Errorf("a sink of another installation answers: it is no member of group %s; name its own listeners with --instances", c.Group)
}

func ask(ctx context.Context, address string) (*attempts.State, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+attempts.Path, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s answers %s", req.URL, res.Status)
	}
	var s attempts.State
	if err := json.NewDecoder(io.LimitReader(res.Body, maxStateBytes)).Decode(&s); err != nil {
		return nil, fmt.Errorf("GET %s: %w", req.URL, err)
	}
	return &s, nil
}

// retry is what an instance says of the partition. That none tries it again is
// known only where all of them have answered, or nobody owns it.
func (c *collection) retry(p kafka.Partition) Known[*attempts.Retry] {
	answered := len(c.states) > 0
	for i := range c.states {
		answered = answered && c.states[i].State.OK
		for _, r := range c.states[i].State.Value.Retrying {
			if r.Topic == p.Topic && r.Partition == p.Partition {
				return known(&r)
			}
		}
	}
	_, owned := c.kafka.owners[p]
	if answered || c.kafka.hasMembers && !owned {
		return known[*attempts.Retry](nil)
	}
	return Known[*attempts.Retry]{}
}
