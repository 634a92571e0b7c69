// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookstream/hookstream/sink/internal/pgtest"
	"github.com/hookstream/hookstream/stage/runtest"
)

// logbook is what a service logs.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

// TestDatabaseThatHangsIsNoticed: nothing is to be applied, the connections stay, and
// all the same health and the log say that Postgres does not answer, and when it does
// again.
func TestDatabaseThatHangsIsNoticed(t *testing.T) {
	for _, all := range []bool{true, false} {
		t.Run(fmt.Sprintf("all processes %v", all), func(t *testing.T) {
			server := pgtest.New(t)
			p := newPipeline(t, server.URL())
			book := &logbook{}
			p.log = slog.New(slog.NewTextHandler(book, nil))
			s, err := New(p.cfg, p.log)
			must(t, err)
			s.watch.every, s.watch.renew = time.Second, 2
			r := &running{s, runtest.Start(t, s.Run)}
			r.awaitPart(t, partConsumer, true)
			r.awaitPart(t, partDatabase, true)
			thaw := server.Freeze(t, all)
			r.awaitPart(t, partDatabase, false)
			r.awaitReason(t, "Postgres does not answer since 2", "no answer within 1s")
			runtest.Eventually(t, "the log", func() bool { return book.has("Postgres does not answer") })
			thaw()
			r.awaitPart(t, partDatabase, true)
			runtest.Eventually(t, "the log", func() bool { return book.has("Postgres answers again") })
			r.Stop()
		})
	}
}

// TestStandbyIsNotReady: nothing is to be written, and it is known that nothing could
// be.
func TestStandbyIsNotReady(t *testing.T) {
	primary := pgtest.New(t)
	p := newPipeline(t, primary.URL())
	s, err := New(p.cfg, p.log)
	must(t, err)
	s.watch.every = time.Second
	r := &running{s, runtest.Start(t, s.Run)}
	r.awaitPart(t, partDatabase, true)
	_, err = p.pool.Exec(t.Context(), "alter system set default_transaction_read_only = on")
	must(t, err)
	_, err = p.pool.Exec(t.Context(), "select pg_reload_conf()")
	must(t, err)
	r.awaitPart(t, partDatabase, false)
	r.awaitReason(t, "takes no writes")
	r.Stop()
}

// awaitReason waits until health says of the database all parts of a reason.
func (r *running) awaitReason(t *testing.T, parts ...string) {
	t.Helper()
	runtest.Eventually(t, fmt.Sprintf("a reason that says %q", parts), func() bool {
		_, all := r.health.Ready()
		return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(all[partDatabase].Reason, part) })
	})
}
