// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/schemas/reason"
)

// memory is a Memory of a test, and notes the most that was taken.
type memory struct{ free, least int64 }

func (m *memory) TryAcquire(n int64) bool {
	if n > m.free {
		return false
	}
	m.free -= n
	m.least = min(m.least, m.free)
	return true
}

func (m *memory) Release(n int64) { m.free += n }

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func compressed(data []byte) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/stripe", bytes.NewReader(data))
	r.Header.Set("Content-Encoding", "gzip")
	return r
}

// TestGzip: the signature is over what was compressed, and so is the record.
func TestGzip(t *testing.T) {
	w := newWorld(t)
	for range 2 { // the second time with a decompressor that was used
		r := compressed(gzipped(t, []byte(stripeBody)))
		r.Header.Set("Stripe-Signature", stripeSignature(stripeSecret, stripeBody, noon))
		w.do(r).expect(t, http.StatusAccepted, "")
		if got := w.kept.last(t); string(got.Body) != stripeBody {
			t.Errorf("stored %s", got.Body)
		}
		w.do(compressed(gzipped(t, []byte(stripeBody))[:40])).expect(t, http.StatusBadRequest, "unreadable-body")
	}
}

// TestGzipBomb: 16 MB in 16 KB, and a hundred thousand members of nothing.
func TestGzipBomb(t *testing.T) {
	bomb := gzipped(t, make([]byte, 16<<20))
	hollow := bytes.Repeat(gzipped(t, nil), 100_000)
	m := &memory{free: 1 << 30, least: 1 << 30}
	w := newWorld(t, func(c *Config) { c.Memory = m })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w.do(compressed(bomb)).expect(t, http.StatusRequestEntityTooLarge, "too-large")
	r := compressed(nil)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(hollow)), -1
	w.do(r).expect(t, http.StatusRequestEntityTooLarge, "too-large")
	runtime.ReadMemStats(&after)
	if most := int64(1<<30) - m.least; most > w.cfg.MaxBody+1 {
		t.Errorf("took %d bytes of memory for bodies of at most %d", most, w.cfg.MaxBody)
	}
	if m.free != 1<<30 {
		t.Errorf("%d bytes were not given back", 1<<30-m.free)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
		t.Errorf("allocated %d bytes for two bombs", got)
	}
}

// TestDeepBody is a million nested arrays.
func TestDeepBody(t *testing.T) {
	const depth = 1_000_000
	for name, sent := range map[string]string{
		"open":    strings.Repeat("[", depth),
		"closed":  strings.Repeat("[", depth) + strings.Repeat("]", depth),
		"objects": strings.Repeat(`{"a":`, depth/5) + "1" + strings.Repeat("}", depth/5),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.MaxBody = 4 << 20 })
			start := time.Now()
			w.do(stripe(sent)).expect(t, http.StatusAccepted, "")
			if got := w.kept.last(t); got.Defect != reason.MalformedBody || string(got.Body) != sent {
				t.Errorf("stored with defect %q", got.Defect)
			}
			t.Logf("%d bytes in %s", len(sent), time.Since(start))
		})
	}
}

// TestBodiesShareTheMemory: a body holds what has arrived of it, whatever length
// it announces, and is refused where that is too much.
func TestBodiesShareTheMemory(t *testing.T) {
	m := &memory{free: 64 << 10, least: 64 << 10}
	w := newWorld(t, func(c *Config) { c.Memory = m })
	waiting, sender := io.Pipe()
	r := httptest.NewRequest(http.MethodPost, "/webhooks/stripe", waiting)
	r.ContentLength = 1 << 20
	done := make(chan *answered)
	go func() { done <- w.do(r) }()
	if _, err := io.WriteString(sender, "{"); err != nil {
		t.Fatal(err)
	}
	if err := sender.CloseWithError(io.ErrUnexpectedEOF); err != nil {
		t.Fatal(err)
	}
	(<-done).expect(t, http.StatusBadRequest, "unreadable-body")
	if most := 64<<10 - m.least; most > firstRead {
		t.Errorf("one byte of an announced megabyte took %d", most)
	}
	a := w.do(stripe(strings.Repeat("x", 100<<10)))
	a.expect(t, http.StatusServiceUnavailable, "overloaded")
	if a.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if m.free != 64<<10 {
		t.Errorf("%d bytes were not given back", 64<<10-m.free)
	}
}

// TestSlowBodiesHoldNoSlot: senders that do not finish stop nobody.
func TestSlowBodiesHoldNoSlot(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxInFlight = 1 })
	var senders []*io.PipeWriter
	done := make(chan *answered)
	for range 10 {
		body, sender := io.Pipe()
		senders = append(senders, sender)
		go func() { done <- w.do(httptest.NewRequest(http.MethodPost, "/webhooks/stripe", body)) }()
		if _, err := io.WriteString(sender, "{"); err != nil {
			t.Fatal(err)
		}
	}
	w.do(stripe(stripeBody)).expect(t, http.StatusAccepted, "")
	for _, s := range senders {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		(<-done).expect(t, http.StatusUnauthorized, "invalid-signature")
	}
}
