// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Sender posts deliveries as providers do: on kept-alive connections, and again
// when there was no clear answer.
type Sender struct {
	// URLs of the ingest instances, in turn.
	URLs []string
	// Connections used at once.
	Connections int
	// Retries after a 5xx or no answer, each a little later.
	Retries int

	once   sync.Once
	client *http.Client
	turn   atomic.Uint64
}

// Outcome is the last answer to one delivery.
type Outcome struct {
	Event *Event
	// Code is 0 where no answer came.
	Code int
	// Attempts is how often it was posted.
	Attempts int
	// Accepted counts the 2xx among the attempts.
	Accepted int
}

const (
	answerTimeout  = 15 * time.Second
	maxAnswerBytes = 64 << 10
	retryPause     = 200 * time.Millisecond
	maxRetryPause  = 2 * time.Second
)

func (s *Sender) init() {
	s.client = &http.Client{
		Timeout:   answerTimeout,
		Transport: &http.Transport{MaxIdleConnsPerHost: s.Connections, MaxConnsPerHost: s.Connections},
	}
}

// Phase posts the deliveries and calls done for each, from many goroutines. The
// order in which they arrive is roughly the list's.
func (s *Sender) Phase(ctx context.Context, list []*Event, done func(Outcome)) error {
	s.once.Do(s.init)
	work := make(chan *Event)
	var wg sync.WaitGroup
	for range s.Connections {
		wg.Go(func() {
			for e := range work {
				done(s.Deliver(ctx, e))
			}
		})
	}
	defer wg.Wait()
	defer close(work)
	for _, e := range list {
		select {
		case work <- e:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Steady posts the deliveries at a rate, a second, until enough says so of how many
// were sent, or there are no more. Done is called for each, from many goroutines.
func (s *Sender) Steady(ctx context.Context, list []*Event, rate float64, enough func(sent int) bool, done func(Outcome)) error {
	ticker := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer ticker.Stop()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(s.Connections)
	for n, event := range list {
		if enough(n) {
			break
		}
		select {
		case <-ctx.Done():
			return g.Wait()
		case <-ticker.C:
		}
		g.Go(func() error {
			done(s.Deliver(ctx, event))
			return nil
		})
	}
	return g.Wait()
}

// Deliver posts one event until it is answered with anything but a 5xx.
func (s *Sender) Deliver(ctx context.Context, e *Event) Outcome {
	s.once.Do(s.init)
	out := Outcome{Event: e}
	for out.Attempts <= s.Retries && ctx.Err() == nil {
		out.Attempts++
		code, err := s.post(ctx, e)
		out.Code = code
		if err == nil && code < http.StatusInternalServerError {
			if code < http.StatusMultipleChoices {
				out.Accepted++
			}
			return out
		}
		pause(ctx, min(retryPause*time.Duration(out.Attempts), maxRetryPause))
	}
	return out
}

func (s *Sender) post(ctx context.Context, e *Event) (int, error) {
	url := s.URLs[s.turn.Add(1)%uint64(len(s.URLs))]
	req, err := e.Request(ctx, url, time.Now())
	if err != nil {
		return 0, err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("post to %s: %w", e.Provider, err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswerBytes))
	return res.StatusCode, errors.Join(err, res.Body.Close())
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
