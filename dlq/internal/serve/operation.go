// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/action"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/schemas/record"
)

// State is how far an operation is.
type State string

// The states. An operation that was interrupted or failed has done what it says;
// the same request with its ID goes on from there.
const (
	Running     State = "running"
	Done        State = "done"
	Interrupted State = "interrupted"
	Failed      State = "failed"
)

// Operation is a change that is carried out, as the API shows it.
type Operation struct {
	// ID is on the resolutions, and for a replay on every record it sends.
	ID        string        `json:"id"`
	Action    record.Action `json:"action"`
	State     State         `json:"state"`
	By        string        `json:"by"`
	Why       string        `json:"why,omitempty"`
	StartedAt time.Time     `json:"started_at"`
	EndedAt   *time.Time    `json:"ended_at,omitempty"`
	Planned   int           `json:"planned"`
	Done      int           `json:"done"`
	ETA       *float64      `json:"eta_seconds,omitempty"`
	Error     string        `json:"error,omitempty"`
	// Skipped says why less was done than was planned.
	Skipped []action.Refusal `json:"skipped,omitempty"`
	Plan    output.Outcome   `json:"plan"`
}

// operation is one under way or ended.
type operation struct {
	cancel context.CancelFunc

	mu    sync.Mutex
	state Operation
	// changed is closed, and made anew, when state changes.
	changed chan struct{}
}

// look gives the state, and what is closed when it changes.
func (o *operation) look() (Operation, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state, o.changed
}

func (o *operation) set(change func(*Operation)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(&o.state)
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *operation) progress(n int, now time.Time) {
	o.set(func(s *Operation) {
		s.Done, s.ETA = n, nil
		if took := now.Sub(s.StartedAt).Seconds(); n > 0 && took > 0 {
			eta := math.Round(took / float64(n) * float64(s.Planned-n))
			s.ETA = &eta
		}
	})
}

func (o *operation) end(n int, err error, now time.Time) Operation {
	o.set(func(s *Operation) {
		s.State, s.Done, s.EndedAt, s.ETA = Done, n, &now, nil
		switch {
		case errors.Is(err, context.Canceled):
			s.State = Interrupted
		case err != nil:
			s.State, s.Error = Failed, err.Error()
		}
	})
	state, _ := o.look()
	return state
}

// remembered is how many ended operations can be looked at. The history has all
// of them.
const remembered = 100

// runner carries out one change at a time: two at once would take the
// transactional ids from each other. They outlive the requests that start them.
type runner struct {
	// ctx ends when the service does.
	ctx context.Context //nolint:containedctx // requests end before their operations
	log *slog.Logger
	now func() time.Time

	wg      sync.WaitGroup
	mu      sync.Mutex
	claimed string // the ID of the change that is planned or running
	byID    map[string]*operation
	order   []string // of byID, the oldest first
}

// claim reserves the runner for a change, or says whose turn it is.
func (r *runner) claim(id string) (other string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.claimed != "" {
		return r.claimed, false
	}
	r.claimed = id
	return "", true
}

func (r *runner) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.claimed = ""
}

func (r *runner) get(id string) *operation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byID[id]
}

// all are the operations that are remembered, the newest first.
func (r *runner) all() []Operation {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Operation, 0, len(r.order))
	for i := len(r.order) - 1; i >= 0; i-- {
		state, _ := r.byID[r.order[i]].look()
		out = append(out, state)
	}
	return out
}

// start carries out a change that was claimed, and releases it at the end. Request
// is on its lines.
func (r *runner) start(c *Change, p *Plan, request slog.Attr) Operation {
	ctx, cancel := context.WithCancel(r.ctx)
	o := &operation{cancel: cancel, changed: make(chan struct{}), state: Operation{
		ID: c.ID, Action: c.Action, State: Running, By: c.By, Why: c.Why,
		StartedAt: r.now().UTC(), Planned: p.Outcome.Planned, Plan: p.Outcome,
	}}
	r.remember(o)
	r.audit(&o.state, "a change begins", request, "selected", c.Text)
	begun, _ := o.look()
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		defer cancel()
		n, err := p.Run(ctx, func(n int) { o.progress(n, r.now()) })
		r.release()
		if p.Skipped != nil {
			o.set(func(s *Operation) { s.Skipped = p.Skipped() })
		}
		ended := o.end(n, err, r.now().UTC())
		r.audit(&ended, "a change ended", request)
	}()
	return begun
}

func (r *runner) remember(o *operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := o.state.ID
	if _, again := r.byID[id]; again {
		for i, other := range r.order {
			if other == id {
				r.order = append(r.order[:i], r.order[i+1:]...)
				break
			}
		}
	} else if len(r.order) == remembered {
		delete(r.byID, r.order[0])
		r.order = r.order[1:]
	}
	r.byID[id], r.order = o, append(r.order, id)
}

// audit says in the log who changes what. The resolutions say it of every dead
// letter, in Kafka.
func (r *runner) audit(o *Operation, message string, more ...any) {
	r.log.Info(message, append([]any{
		"audit", true, "operation", o.ID, "action", o.Action, "by", o.By, "why", o.Why,
		"state", o.State, "planned", o.Planned, "done", o.Done, "error", o.Error,
	}, more...)...)
}
