// SPDX-License-Identifier: Apache-2.0

// Package reload keeps a value that was made of files, and makes it again when
// their contents change. A change is in force as a whole, or not at all where
// anything in it is wrong.
package reload

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Every is how soon a change is noticed, where Config says nothing else.
const Every = 10 * time.Second

// Config says what is followed.
type Config[T any] struct {
	// Name says what the files hold, in logs and as the label files of
	// hookstream.reloads: "definitions".
	Name string
	// Fingerprint stands for all that Load reads. An error is one of reading.
	Fingerprint func() (Fingerprint, error)
	// Load makes the value. It gets the one in force, or the zero value at
	// first. Its error names the file and quotes no secret, for it is logged.
	Load func(inForce T) (T, error)
	// Attributes of a value for the log line that tells of it; may be nil.
	Attributes func(T) []slog.Attr
	// Status is told whether the files are what is in force, with a reason where they are not; may be nil. Ready is always true: what
	// was before still works.
	Status func(ready bool, reason string)
	// Every is how often the files are looked at; 0 is the constant.
	Every time.Duration
	Log   *slog.Logger
}

// Source holds the value in force. It is safe for concurrent use.
type Source[T any] struct {
	cfg     Config[T]
	value   atomic.Pointer[T]
	reloads metric.Int64Counter

	// mu is held during a look. InForce is what the value was made of; seen
	// and wrong are what the last look that failed found, and told whether
	// that was logged.
	mu            sync.Mutex
	inForce, seen Fingerprint
	wrong         string
	told          bool
}

// New loads the files for the first time; an error is Fingerprint's or Load's.
func New[T any](cfg Config[T]) (*Source[T], error) {
	if cfg.Every == 0 {
		cfg.Every = Every
	}
	reloads, err := otel.Meter("github.com/hookstream/hookstream/stage/reload").Int64Counter("hookstream.reloads",
		metric.WithDescription("Changes of files, by what these hold, applied or refused."))
	if err != nil {
		return nil, err
	}
	s := &Source[T]{cfg: cfg, reloads: reloads}
	// What changes after the fingerprint is a change at the first look.
	if s.inForce, err = cfg.Fingerprint(); err != nil {
		return nil, err
	}
	var none T
	value, err := cfg.Load(none)
	if err != nil {
		return nil, err
	}
	s.value.Store(&value)
	s.settle()
	return s, nil
}

// Value is the one in force.
func (s *Source[T]) Value() T { return *s.value.Load() }

// Run looks at the files until ctx ends, and returns nil.
func (s *Source[T]) Run(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			s.Look(ctx)
		}
	}
}

// Look looks at the files once, for those who do not wait for Run.
func (s *Source[T]) Look(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, err := s.cfg.Fingerprint()
	switch {
	case err != nil:
		s.keep(ctx, now, err)
	case now == s.inForce:
		s.settle()
	case s.told && now == s.seen:
		// Told of already.
	default:
		s.load(ctx, now)
	}
}

func (s *Source[T]) load(ctx context.Context, now Fingerprint) {
	value, err := s.cfg.Load(s.Value())
	if err != nil {
		s.keep(ctx, now, err)
		return
	}
	s.value.Store(&value)
	s.inForce = now
	s.settle()
	s.count(ctx, "applied")
	attrs := []slog.Attr{slog.String("files", s.cfg.Name)}
	if s.cfg.Attributes != nil {
		attrs = append(attrs, s.cfg.Attributes(value)...)
	}
	s.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "changed files are in force", attrs...)
}

func (s *Source[T]) settle() {
	s.wrong, s.told = "", false
	s.status("")
}

// keep leaves the value in force. It complains once, at the second look: the first
// may have seen the files while they were being replaced.
func (s *Source[T]) keep(ctx context.Context, now Fingerprint, err error) {
	text := err.Error()
	switch {
	case now != s.seen || text != s.wrong:
		s.seen, s.wrong, s.told = now, text, false
	case !s.told:
		s.told = true
		s.status("changed files are not used, what was before stays in force; the log says what is wrong")
		s.count(ctx, "refused")
		s.cfg.Log.ErrorContext(ctx, "changed files are not used, what was before stays in force; correct them", "files", s.cfg.Name, "error", err)
	}
}

func (s *Source[T]) status(reason string) {
	if s.cfg.Status != nil {
		s.cfg.Status(true, reason)
	}
}

func (s *Source[T]) count(ctx context.Context, outcome string) {
	s.reloads.Add(ctx, 1, metric.WithAttributes(attribute.String("files", s.cfg.Name), attribute.String("outcome", outcome)))
}
