// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// outside is a transport with a handler in place of the network, and counts.
type outside struct {
	handler http.HandlerFunc
	asked   atomic.Int32
}

func (o *outside) RoundTrip(r *http.Request) (*http.Response, error) {
	o.asked.Add(1)
	w := httptest.NewRecorder()
	o.handler(w, r)
	return w.Result(), nil
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newTest(handler http.HandlerFunc) (*Client, *outside, *clock) {
	o := &outside{handler: handler}
	c := &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	return New(Config{Mode: Keys, Transport: o, Now: c.Now}), o, c
}

const document = "https://keys.example/set"

func TestDocumentsAreCached(t *testing.T) {
	version := 1
	client, o, clock := newTest(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "version ", version) })
	expect := func(step, want string, asked int32, fetch func(context.Context, string) ([]byte, error)) {
		t.Helper()
		doc, err := fetch(t.Context(), document)
		if err != nil || string(doc) != want || o.asked.Load() != asked {
			t.Fatalf("%s: got %q after %d requests, error %v; want %q after %d", step, doc, o.asked.Load(), err, want, asked)
		}
	}
	expect("first", "version 1", 1, client.Fetch)
	version = 2
	expect("fresh", "version 1", 1, client.Fetch)
	expect("refreshed at once", "version 1", 1, client.Refresh)
	clock.add(time.Minute)
	expect("refreshed later", "version 2", 2, client.Refresh)
	version = 3
	clock.add(time.Hour)
	expect("stale", "version 3", 3, client.Fetch)
}

func TestDocumentOutlivesAnOutage(t *testing.T) {
	up := true
	client, o, clock := newTest(func(w http.ResponseWriter, _ *http.Request) {
		if !up {
			w.WriteHeader(http.StatusBadGateway)
		}
		fmt.Fprint(w, "keys")
	})
	if _, err := client.Fetch(t.Context(), document); err != nil {
		t.Fatal(err)
	}
	up = false
	clock.add(time.Hour)
	for range 3 {
		if doc, err := client.Fetch(t.Context(), document); err != nil || string(doc) != "keys" {
			t.Fatalf("got %q, error %v", doc, err)
		}
	}
	if n := o.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want 2: a failure is remembered", n)
	}
	clock.add(staleFor)
	if doc, err := client.Fetch(t.Context(), document); err == nil {
		t.Errorf("used %q for longer than a day", doc)
	}
	up = true
	clock.add(failedFor)
	if _, err := client.Fetch(t.Context(), document); err != nil {
		t.Errorf("did not recover: %v", err)
	}
}

func TestFailures(t *testing.T) {
	cases := map[string]struct {
		url     string
		handler http.HandlerFunc
		want    string
	}{
		"status": {document, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, "status 404"},
		"redirect": {document, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example", http.StatusFound)
		}, "status 302"},
		"too large": {document, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, bytes.NewReader(make([]byte, maxDocument+1)))
		}, "larger than 262144"},
		"not https": {"http://keys.example/set", nil, "only https"},
		"no URL":    {"https://keys.example/\x00token", nil, "outbound request"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client, o, _ := newTest(c.handler)
			for range 2 {
				doc, err := client.Fetch(t.Context(), c.url)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("got %q and error %v, want one with %q", doc, err, c.want)
				}
			}
			if n := o.asked.Load(); n > 1 {
				t.Errorf("asked %d times within the memory of a failure", n)
			}
		})
	}
}

func TestModes(t *testing.T) {
	for mode, want := range map[Mode][2]bool{"": {}, Off: {}, Keys: {true, false}, All: {true, true}} {
		o := &outside{handler: func(http.ResponseWriter, *http.Request) {}}
		client := New(Config{Mode: mode, Transport: o})
		_, errFetch := client.Fetch(t.Context(), document)
		errConfirm := client.Confirm(t.Context(), "https://confirm.example/?Token=t")
		got := [2]bool{errFetch == nil, errConfirm == nil}
		if got != want || client.Confirms() != want[1] {
			t.Errorf("%q allows %v, want %v", mode, got, want)
		}
		for _, err := range []error{errFetch, errConfirm} {
			if err != nil && !errors.Is(err, ErrOff) {
				t.Errorf("%q: %v", mode, err)
			}
		}
	}
}

// TestLoopback: plain http goes to this machine alone, and only where that is
// allowed.
func TestLoopback(t *testing.T) {
	for url, allowed := range map[string]bool{
		"http://127.0.0.1:8080/keys": true, "http://[::1]/keys": true, "https://keys.example/set": true,
		"http://localhost/keys": false, "http://10.0.0.1/keys": false, "http://127.0.0.1.example/keys": false, "file:///keys": false,
	} {
		for _, loopback := range []bool{true, false} {
			o := &outside{handler: func(http.ResponseWriter, *http.Request) {}}
			_, err := New(Config{Mode: Keys, Transport: o, Loopback: loopback}).Fetch(t.Context(), url)
			want := allowed && (loopback || strings.HasPrefix(url, "https"))
			if got := err == nil; got != want || o.asked.Load() > 0 != want {
				t.Errorf("loopback %t: %s gives %v", loopback, url, err)
			}
		}
	}
}

// TestConfirmationsTokenIsNotTold is about errors of the HTTP client, which quote
// the URL.
func TestConfirmationsTokenIsNotTold(t *testing.T) {
	client := New(Config{Mode: All, Transport: failing{}})
	err := client.Confirm(t.Context(), "https://confirm.example/?Token=hunter2")
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "confirm.example") {
		t.Errorf("got %v", err)
	}
}

type failing struct{}

func (failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("no route") }

// TestFetchesAreShared lets many wait for one document while it is on its way,
// and one of them give up.
func TestFetchesAreShared(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	client, o, _ := newTest(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		fmt.Fprint(w, "keys")
	})
	impatient, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() {
		_, err := client.Fetch(impatient, document)
		gaveUp <- err
	}()
	<-arrived
	results := make(chan error)
	for range 10 {
		go func() {
			_, err := client.Fetch(t.Context(), document)
			results <- err
		}()
	}
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("the impatient one got %v", err)
	}
	close(release)
	for range 10 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := o.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestRequestsAtOnceAreBounded(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	client, _, _ := newTest(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	results := make(chan error)
	for i := range maxAtOnce {
		go func() {
			_, err := client.Fetch(t.Context(), fmt.Sprintf("%s/%d", document, i))
			results <- err
		}()
		<-arrived
	}
	if _, err := client.Fetch(t.Context(), document); !errors.Is(err, ErrBusy) {
		t.Errorf("one more got %v", err)
	}
	close(release)
	for range maxAtOnce {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	go func() { <-arrived }()
	if _, err := client.Fetch(t.Context(), document); err != nil {
		t.Errorf("being busy was remembered: %v", err)
	}
}

// TestMadeUpURLsDriveNothingOut asks for more documents than are cached, as a
// sender could that chooses the URL.
func TestMadeUpURLsDriveNothingOut(t *testing.T) {
	client, o, _ := newTest(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/set" {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	if _, err := client.Fetch(t.Context(), document); err != nil {
		t.Fatal(err)
	}
	for i := range 10 * maxEntries {
		if _, err := client.Fetch(t.Context(), fmt.Sprintf("https://keys.example/%d", i)); err == nil {
			t.Fatal("found what is not there")
		}
	}
	if n := len(client.cache.entries); n > maxEntries {
		t.Errorf("%d entries are kept", n)
	}
	before := o.asked.Load()
	if _, err := client.Fetch(t.Context(), document); err != nil || o.asked.Load() != before {
		t.Errorf("the document was driven out, error %v", err)
	}
}
