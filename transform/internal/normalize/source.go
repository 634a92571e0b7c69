// SPDX-License-Identifier: Apache-2.0

package normalize

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hookstream/hookstream/schemas/provider"
)

// Source holds the catalog in force and replaces it when the folder of
// definitions changes.
type Source struct {
	dir     string
	log     *slog.Logger
	current atomic.Pointer[loaded]
	// seen is the state of the folder that was looked at last, good or bad.
	seen    [sha256.Size]byte
	reloads metric.Int64Counter
}

// loaded is a catalog and the definitions that it was compiled from.
type loaded struct {
	catalog Catalog
	defs    provider.Catalog
}

// NewSource loads the embedded definitions and those of dir, which may be empty.
// The error joins every problem, each with file and line.
func NewSource(dir string, log *slog.Logger) (*Source, error) {
	reloads, err := otel.Meter("github.com/hookstream/hookstream/transform/internal/normalize").
		Int64Counter("hookstream.transform.definitions.reloads", metric.WithDescription("Changes of the folder of definitions, applied or refused."))
	if err != nil {
		return nil, err
	}
	s := &Source{dir: dir, log: log, reloads: reloads}
	if s.seen, err = digest(dir); err != nil {
		return nil, fmt.Errorf("HOOKSTREAM_DEFINITIONS_DIR: %w", err)
	}
	l, err := load(dir)
	if err != nil {
		return nil, err
	}
	s.current.Store(l)
	return s, nil
}

// Catalog is the catalog in force.
func (s *Source) Catalog() Catalog { return s.current.Load().catalog }

// reloadEvery is how often the folder is looked at. Contents are compared, not
// times: a mounted ConfigMap changes by a link.
const reloadEvery = 2 * time.Second

// Run follows the folder until ctx ends. A change that cannot be used is logged
// and the catalog stays.
func (s *Source) Run(ctx context.Context) error {
	if s.dir == "" {
		return nil
	}
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			s.follow(ctx)
		}
	}
}

// follow looks once. A folder is tried once for each of its states, so a broken
// one is told of once.
func (s *Source) follow(ctx context.Context) {
	now, err := digest(s.dir)
	if err != nil || now == s.seen {
		return // unreadable in the middle of a change: look again
	}
	s.seen = now
	l, err := load(s.dir) //nolint:contextcheck // compiling runs nothing
	if err == nil {
		err = revised(s.current.Load().defs, l.defs)
	}
	if err != nil {
		s.count(ctx, "refused")
		s.log.ErrorContext(ctx, "the changed definitions are refused, those before stay in force", "error", err)
		return
	}
	s.current.Store(l)
	s.count(ctx, "applied")
	s.log.InfoContext(ctx, "definitions were loaded again", "providers", len(l.catalog))
}

func (s *Source) count(ctx context.Context, outcome string) {
	s.reloads.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome)))
}

// revised checks that every definition whose events changed has a higher
// revision: without one, events of both mappings could not be told apart.
func revised(before, after provider.Catalog) error {
	var errs []error
	for name, def := range after {
		was := before[name]
		if was != nil && def.Revision <= was.Revision && !reflect.DeepEqual(was.Events, def.Events) {
			errs = append(errs, def.Problem(fmt.Sprintf("is %d, but events differ from those of revision %d in force; raise it", def.Revision, was.Revision), "revision"))
		}
	}
	return errors.Join(errs...)
}

// maxFile bounds what is read of one definition.
const maxFile = 1 << 20

// digest is over the names and contents of a folder's definitions.
func digest(dir string) (sum [sha256.Size]byte, err error) {
	if dir == "" {
		return sum, nil
	}
	files, err := fs.Glob(os.DirFS(dir), "*.yaml")
	if err != nil {
		return sum, err
	}
	if len(files) == 0 {
		if _, err := os.Stat(dir); err != nil {
			return sum, err
		}
	}
	h := sha256.New()
	for _, name := range files {
		text, err := fs.ReadFile(os.DirFS(dir), name)
		if err != nil {
			return sum, err
		}
		if len(text) > maxFile {
			return sum, fmt.Errorf("%s has %d bytes, at most %d are read", name, len(text), maxFile)
		}
		fmt.Fprintf(h, "%q %d\n", name, len(text))
		h.Write(text)
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
