// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	readyPoll     = 50 * time.Millisecond
	maxReadyBytes = 64 << 10
)

// waitReady waits until every service says so, as an orchestrator would.
func (s *Stack) waitReady(ctx context.Context) error {
	for _, address := range s.admin {
		if err := s.waitFor(ctx, "http://"+address+"/readyz"); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stack) waitFor(ctx context.Context, url string) error {
	ticker := time.NewTicker(readyPoll)
	defer ticker.Stop()
	for {
		answer, ready := probe(ctx, url)
		if ready {
			return nil
		}
		select {
		case err := <-s.fail:
			return err
		case <-ctx.Done():
			return fmt.Errorf("not ready: %s: %w", answer, ctx.Err())
		case <-ticker.C:
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
