// SPDX-License-Identifier: Apache-2.0

package transact

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/kafka"
)

// firstError keeps the first error of a transaction's produce promises.
type firstError struct {
	mu  sync.Mutex
	err error
}

func (f *firstError) promise(_ *kgo.Record, err error) {
	if err == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
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
