// SPDX-License-Identifier: Apache-2.0

package action

import (
	"context"
	"sync"
	"time"

	"github.com/hookstream/hookstream/stage/failure"
)

// Pace spreads dead letters over time, so that a replay leaves room for what is
// fresh. Its zero value does not wait.
type Pace struct {
	// Rate is dead letters a second; 0 is as fast as possible.
	Rate float64

	mu   sync.Mutex
	next time.Time
}

// Wait waits for the turn of n dead letters. The time that they take is waited
// for by whoever comes next.
func (p *Pace) Wait(ctx context.Context, n int) error {
	if err := ctx.Err(); err != nil || p == nil || p.Rate <= 0 {
		return err
	}
	p.mu.Lock()
	now := time.Now()
	turn := p.next
	if turn.Before(now) {
		turn = now
	}
	p.next = turn.Add(time.Duration(float64(n) / p.Rate * float64(time.Second)))
	p.mu.Unlock()
	return failure.Sleep(ctx, turn.Sub(now))
}

// batch is the size of transactions at a rate: at most a second's worth, so that
// the pace is even.
func (p *Pace) batch(most int) int {
	if p == nil || p.Rate <= 0 {
		return most
	}
	return max(1, min(most, int(p.Rate)))
}
