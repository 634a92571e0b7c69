// SPDX-License-Identifier: Apache-2.0

package transact

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
)

// firstError keeps the first error of a transaction's produce promises.
type firstError struct {
	mu  sync.Mutex
	err error
}

func (f *firstError) promise(r *kgo.Record, err error) {
	if err == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = fmt.Errorf("produce to %s: %w", r.Topic, err)
	}
}

func (f *firstError) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// fetchError is the first error among fetches that the client does not recover
// from itself.
func fetchError(fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		if err := kafka.FetchError(e); err != nil {
			return err
		}
	}
	return nil
}

// classify gives an error of a transaction its class. Kafka answers "fenced"
// both when another producer took the transactional id and when a transaction
// outlived its timeout; the second passes with a new session.
func (s *session) classify(err error, begun time.Time) error {
	if errors.Is(err, kerr.ProducerFenced) && time.Since(begun) < s.cfg.Timeout {
		return failure.NewFatal("another process uses the transactional id %s: give every instance its own HOOKSTREAM_INSTANCE_ID: %w",
			s.cfg.TransactionalID, err)
	}
	return kafka.Classify(err)
}
