// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/dev/internal/check"
	"github.com/hookstream/hookstream/stage/failure"
)

// The definition that a run breaks, for one of its types: later events of the same
// orders can be mapped, and must wait for those that cannot.
const (
	brokenProvider = "shopify"
	sound          = "number: .name"
	broken         = `number: if $type == "orders/create" then {} else .name end`
	// leastHeld is how many records must be held before a break counts.
	leastHeld = 30
)

// Hold is one time that a definition was broken.
type Hold struct {
	// Held records when it was mended, and how long it was broken.
	Held    int64   `json:"held"`
	Seconds float64 `json:"seconds"`
	// Others are rows of the ledger of other providers' events that came in
	// meanwhile.
	Others int64 `json:"others"`
	// Release is how long it took, once it was mended, until nothing was held.
	Release float64 `json:"release_seconds"`
}

// definitions is the folder that the services follow, and what is in it.
type definitions struct {
	dir, text string
	revision  int
	// since is when the definition was broken.
	since time.Time
	holds []Hold
}

var revisionLine = regexp.MustCompile(`(?m)^revision: \d+$`)

func newDefinitions(root, dir string) (*definitions, error) {
	text, err := os.ReadFile(filepath.Join(root, "schemas/provider/definitions", brokenProvider+".yaml"))
	if err != nil {
		return nil, err
	}
	d := &definitions{dir: filepath.Join(dir, "definitions"), text: string(text), revision: 1000}
	if !strings.Contains(d.text, sound) || !revisionLine.MatchString(d.text) {
		return nil, fmt.Errorf("the definition of %s has no longer %q, which the run breaks", brokenProvider, sound)
	}
	return d, os.MkdirAll(d.dir, 0o755) //nolint:gosec // the services may be other users
}

// put puts the definition into the folder under the next revision, all at once.
func (d *definitions) put(text string) error {
	d.revision++
	text = revisionLine.ReplaceAllString(text, fmt.Sprint("revision: ", d.revision))
	next := filepath.Join(d.dir, "next")
	if err := os.WriteFile(next, []byte(text), 0o644); err != nil { //nolint:gosec // as above
		return err
	}
	return os.Rename(next, filepath.Join(d.dir, brokenProvider+".yaml"))
}

func (r *run) breakDefinition(ctx context.Context) error {
	r.definitions.since = time.Now()
	if err := r.definitions.put(strings.Replace(r.definitions.text, sound, broken, 1)); err != nil {
		return err
	}
	_, err := r.awaitHeld(ctx, func(n int64) bool { return n >= leastHeld })
	return err
}

// mendDefinition puts the definition right while an instance is armed to die in the
// release, and waits until nothing is held.
func (r *run) mendDefinition(ctx context.Context, f Fault) (at time.Time, err error) {
	d := r.definitions
	hold := Hold{Seconds: time.Since(d.since).Seconds()}
	if hold.Held, err = r.awaitHeld(ctx, func(n int64) bool { return n > 0 }); err != nil {
		return at, err
	}
	if hold.Others, err = r.othersSince(ctx, d.since); err != nil {
		return at, err
	}
	if f.Point != "" {
		at, err = r.crashAfter(ctx, f, func() error { return d.put(d.text) })
	} else {
		at, err = time.Now(), d.put(d.text)
	}
	if err != nil {
		return at, err
	}
	mended := time.Now()
	_, err = r.awaitHeld(ctx, func(n int64) bool { return n == 0 })
	hold.Release = time.Since(mended).Seconds()
	d.holds = append(d.holds, hold)
	r.Progress(fmt.Sprintf("%d records were held over %.1f s, in which %d rows of other providers came; released %.1f s after the correction", hold.Held, hold.Seconds, hold.Others, hold.Release))
	return at, err
}

// awaitHeld waits for a number of held records, and returns it.
func (r *run) awaitHeld(ctx context.Context, ok func(int64) bool) (int64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, recoveryLimit, errors.New("what is held did not change in time"))
	defer cancel()
	cfg, err := r.in.direct()
	if err != nil {
		return 0, err
	}
	t := check.Target{Kafka: cfg, Log: r.Log}
	for {
		n, err := t.Held(ctx)
		if err == nil && ok(n) {
			return n, nil
		}
		if failure.Sleep(ctx, 200*time.Millisecond) != nil {
			return n, fmt.Errorf("%w: %d are held, %w", context.Cause(ctx), n, err)
		}
	}
}

func (r *run) othersSince(ctx context.Context, t time.Time) (n int64, err error) {
	conn, err := pgx.Connect(ctx, r.in.pg.URL())
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, `SELECT count(*) FROM hookstream.events WHERE received_at > $1 AND provider <> $2`, t, brokenProvider).Scan(&n)
	return n, err
}
