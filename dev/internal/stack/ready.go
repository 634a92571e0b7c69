// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hookstream/hookstream/dev/internal/status"
)

const (
	readyPoll     = 50 * time.Millisecond
	maxReadyBytes = 64 << 10
	// tellAfter is how long a wait is that is worth a word, and until the next.
	tellAfter = 5 * time.Second
)

// waitReady waits until every service says so, as an orchestrator would.
func (s *Stack) waitReady(ctx context.Context) error {
	for name := range s.admin {
		if err := s.waitFor(ctx, status.Service{Name: name, URL: s.AdminURL(name)}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stack) waitFor(ctx context.Context, service status.Service) error {
	poll, tell := time.NewTicker(readyPoll), time.NewTicker(tellAfter)
	defer poll.Stop()
	defer tell.Stop()
	for {
		answer, ready := probe(ctx, service.URL+"/readyz")
		if ready {
			return nil
		}
		select {
		case err := <-s.fail:
			return err
		case <-ctx.Done():
			return fmt.Errorf("not ready: %s: %w", answer, ctx.Err())
		case <-tell.C:
			if s.opts.Waiting != nil {
				s.opts.Waiting(service.Waits(ctx))
			}
		case <-poll.C:
		}
	}
}

func probe(ctx context.Context, url string) (answer string, ready bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error(), false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error(), false
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxReadyBytes))
	return string(body), res.StatusCode == http.StatusOK
}
