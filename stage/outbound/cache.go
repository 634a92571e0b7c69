// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"errors"
	"net/url"
	"sync"
	"time"
)

const (
	maxEntries = 64
	// staleFor bounds how long a document is used while it cannot be fetched
	// again: webhooks should outlive an outage of the key server, revoked
	// keys should not outlive a day.
	staleFor = 24 * time.Hour
	// failedFor keeps a failure from being asked for again by every request.
	failedFor = 30 * time.Second
)

// cache keeps the last documents and failures by URL. It holds at most
// maxEntries: senders choose URLs.
type cache struct {
	freshFor time.Duration
	// refreshEvery bounds the fetches that unknown key ids cause.
	refreshEvery time.Duration

	mu      sync.Mutex
	entries map[string]*entry
}

type entry struct {
	doc []byte
	err error
	// fetched is when doc arrived, tried the last try, used the last use.
	fetched, tried, used time.Time
	// until this time the entry answers without a new try.
	until time.Time
}

// get finds what is fresh, be it a document or a failure.
func (c *cache) get(key string, now time.Time) (doc []byte, ok bool, err error) {
	return c.find(key, now, func(e *entry) bool { return now.Before(e.until) })
}

// recent finds what was tried so recently that it is not worth another try.
func (c *cache) recent(key string, now time.Time) (doc []byte, ok bool, err error) {
	return c.find(key, now, func(e *entry) bool { return now.Before(e.tried.Add(c.refreshEvery)) })
}

func (c *cache) find(key string, now time.Time, good func(*entry) bool) (doc []byte, ok bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok || !good(e) {
		return nil, false, nil
	}
	e.used = now
	return e.doc, true, e.err
}

// put keeps the outcome of a try and returns what is in force after it: a
// document outlives failures for a while.
func (c *cache) put(key string, doc []byte, err error, now time.Time) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		c.makeRoom()
		e = &entry{}
		c.entries[key] = e
	}
	e.tried, e.used = now, now
	switch {
	case err == nil:
		e.doc, e.err, e.fetched, e.until = doc, nil, now, now.Add(c.freshFor)
	case e.doc != nil && now.Before(e.fetched.Add(staleFor)):
		e.until = now.Add(failedFor)
	default:
		e.doc, e.err, e.until = nil, err, now.Add(failedFor)
	}
	return e.doc, e.err
}

// makeRoom drops the entry that was not used for longest, failures first, so
// that made-up URLs drive no good document out.
func (c *cache) makeRoom() {
	if len(c.entries) < maxEntries {
		return
	}
	var worst string
	for key, e := range c.entries {
		w, some := c.entries[worst]
		switch failed := e.err != nil; {
		case !some, failed && w.err == nil:
			worst = key
		case failed == (w.err != nil) && e.used.Before(w.used):
			worst = key
		}
	}
	delete(c.entries, worst)
}

// withoutURL unwraps the error of the HTTP client, which quotes the URL: that of
// a confirmation holds its token.
func withoutURL(err error) error {
	var quoting *url.Error
	if errors.As(err, &quoting) {
		return quoting.Err
	}
	return err
}
