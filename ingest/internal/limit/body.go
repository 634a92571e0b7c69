// SPDX-License-Identifier: Apache-2.0

package limit

import (
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// bodyGrace is how long a body may take before its rate counts.
	bodyGrace = 5 * time.Second
	// slowAfter is when a body that has not arrived may have to give way. Most
	// take milliseconds.
	slowAfter = time.Second
	// leastHeld is what a body is taken to hold before anything of it is here.
	leastHeld = 4 << 10
)

// Bodies gives the bodies of requests deadlines that move with what arrives, and
// notes which are unfinished.
func (i *Intake) Bodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k, ok := r.Context().Value(contextKey{}).(*conn)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		defer i.answered(k)
		if r.Body == http.NoBody {
			i.arrived(k)
		} else {
			i.unfinished(k, leastHeld)
			// A copy, since the server looks at its own request's body to
			// end a connection whose body was not read.
			wrapped := *r
			wrapped.Body = &body{ReadCloser: r.Body, intake: i, conn: k, answer: w, began: i.now()}
			r = &wrapped
		}
		next.ServeHTTP(w, r)
	})
}

// body is a request body on its way.
type body struct {
	io.ReadCloser
	intake *Intake
	conn   *conn
	answer http.ResponseWriter
	began  time.Time
	n      int64
}

// Read leaves the first wait to the server's read timeout: most bodies have
// arrived with their headers, and their deadline need not be moved.
func (b *body) Read(p []byte) (int, error) {
	moved := b.n > 0
	if moved {
		if err := http.NewResponseController(b.answer).SetReadDeadline(b.deadline()); err != nil {
			return 0, err
		}
	}
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	switch {
	case err == nil:
		b.intake.unfinished(b.conn, int64(n))
	case errors.Is(err, io.EOF):
		b.intake.arrived(b.conn)
		if moved {
			// It must not end the work that follows, for which the server
			// takes it when it watches for the sender's leaving.
			_ = http.NewResponseController(b.answer).SetReadDeadline(time.Time{}) // the body is here all the same
		}
	}
	return n, err
}

// deadline is when the body must have gone on: after the grace plus the time for
// what has arrived at the least rate, and never later than the read timeout.
func (b *body) deadline() time.Time {
	earned := time.Duration(float64(b.n) / float64(b.intake.cfg.MinBodyRate) * float64(time.Second))
	return b.began.Add(min(bodyGrace+earned, b.intake.cfg.ReadTimeout))
}

// unfinished notes that n more bytes are held for a body that is still on its
// way.
func (i *Intake) unfinished(k *conn, n int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !k.closed {
		k.body += n
		i.reading[k] = struct{}{}
	}
}

// arrived notes that a request is complete, which protects it from here on.
func (i *Intake) arrived(k *conn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	k.waiting = time.Time{}
	delete(i.reading, k)
}

// answered notes that a request's body is no longer held.
func (i *Intake) answered(k *conn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.reading, k)
	if k.closed {
		i.leaving -= k.body
	}
	k.body = 0
}

// TryAcquire takes n bytes for bodies at once, or nothing. Where there is no
// room, bodies that are slow to arrive give way, the slowest first, so that they
// cannot keep others out.
func (i *Intake) TryAcquire(n int64) bool {
	i.mu.Lock()
	var slow []*conn
	for i.held-i.leaving+n > i.cfg.MaxBodyBytes {
		k := i.slowest()
		if k == nil {
			break
		}
		i.giveWay(k)
		slow = append(slow, k)
	}
	ok := i.held-i.leaving+n <= i.cfg.MaxBodyBytes
	if ok {
		i.held += n
	}
	i.mu.Unlock()
	for _, k := range slow {
		i.drop(k, forMemory)
	}
	return ok
}

// Release gives bytes back.
func (i *Intake) Release(n int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.held -= n
}

// slowest picks, of a sample, the slow body that began first.
func (i *Intake) slowest() *conn {
	var found *conn
	left, slow := candidates, i.now().Add(-slowAfter)
	for k := range i.reading {
		if left--; left < 0 {
			break
		}
		if k.waiting.Before(slow) && (found == nil || k.waiting.Before(found.waiting)) {
			found = k
		}
	}
	return found
}

// giveWay counts a body's bytes as gone: its request ends as soon as its
// connection is closed.
func (i *Intake) giveWay(k *conn) {
	k.closed = true
	i.leaving += k.body
	delete(i.reading, k)
	if i.conns[k.raw] == k {
		i.forget(k)
	}
}
