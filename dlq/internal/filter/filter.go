// SPDX-License-Identifier: Apache-2.0

// Package filter selects dead letters by what operators know of them.
package filter

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// Filter is part of the commands' flags. A dead letter must satisfy every flag
// that is given; of a flag's several values, one.
type Filter struct {
	Stage    []string `group:"filter" help:"Stage that gave up: transform or sink; of other programs connect, spring or streams." placeholder:"STAGE"`
	Provider []string `group:"filter" help:"Provider." placeholder:"NAME"`
	Tenant   []string `group:"filter" help:"Tenant." placeholder:"NAME"`
	Type     []string `group:"filter" help:"Event type; a glob such as 'charge.*' or 'orders*', where * is any text." placeholder:"GLOB" sep:"none"`
	Reason   []string `group:"filter" help:"Reason code." placeholder:"CODE"`
	// A fingerprint may be cut, as operators do with hashes.
	Fingerprint []string `group:"filter" help:"Failure's fingerprint, as dlq stats prints it, or its beginning." placeholder:"HEX"`
	Key         []string `group:"filter" help:"Business key or entity id, or the whole record key." placeholder:"KEY" sep:"none"`
	EventID     []string `group:"filter" help:"The provider's event id." placeholder:"ID" sep:"none"`
	Since       When     `group:"filter" help:"Failed at or after: RFC 3339, a date, or an age such as 90m." placeholder:"TIME"`
	Until       When     `group:"filter" help:"Failed before." placeholder:"TIME"`
	Partition   []int32  `group:"filter" help:"Partition of the dead-letter topic." placeholder:"N"`
	FromOffset  int64    `group:"filter" help:"First offset in the dead-letter topic." placeholder:"N"`
	ToOffset    int64    `group:"filter" help:"Offset in the dead-letter topic to stop before; 0 is none." placeholder:"N"`
}

// Empty reports whether the filter selects everything.
func (f *Filter) Empty() bool {
	return len(f.Stage)+len(f.Provider)+len(f.Tenant)+len(f.Type)+len(f.Reason)+len(f.Key)+len(f.EventID)+len(f.Fingerprint)+len(f.Partition) == 0 &&
		f.FromOffset == 0 && f.ToOffset == 0 && f.Since.IsZero() && f.Until.IsZero()
}

// stages are ours and those of other programs.
var stages = []record.Stage{record.StageTransform, record.StageSink, letters.StageConnect, letters.StageSpring, letters.StageStreams}

// Validate refuses values that can never match: a misspelt filter must not look
// like an empty topic.
func (f *Filter) Validate() error {
	var errs []error
	for _, s := range f.Stage {
		if !slices.Contains(stages, record.Stage(s)) {
			errs = append(errs, fmt.Errorf("--stage %q: want one of %q", s, stages))
		}
	}
	for _, c := range f.Reason {
		if !reason.Known(reason.Code(c)) {
			errs = append(errs, fmt.Errorf("--reason %q: want one of %s", c, codes()))
		}
	}
	for _, want := range f.Fingerprint {
		if len(want) < 4 || strings.Trim(strings.ToLower(want), "0123456789abcdef") != "" {
			errs = append(errs, fmt.Errorf("--fingerprint %q: want at least 4 of the hexadecimal digits that dlq stats prints", want))
		}
	}
	if f.FromOffset < 0 || f.ToOffset < 0 || f.ToOffset > 0 && f.FromOffset >= f.ToOffset {
		errs = append(errs, fmt.Errorf("--from-offset %d --to-offset %d: want 0 ≤ from < to", f.FromOffset, f.ToOffset))
	}
	for _, glob := range f.Type {
		if _, err := path.Match(glob, ""); err != nil {
			errs = append(errs, fmt.Errorf("--type %q: %w", glob, err))
		}
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until.Time) {
		errs = append(errs, errors.New("--since is not before --until"))
	}
	return errors.Join(errs...)
}

func codes() string {
	var names []string
	for _, i := range reason.All() {
		names = append(names, string(i.Code))
	}
	return strings.Join(names, ", ")
}

// Match reports whether l satisfies the filter.
func (f *Filter) Match(l *letters.Letter) bool {
	return oneOf(f.Stage, string(l.Stage)) &&
		oneOf(f.Provider, l.Provider()) &&
		oneOf(f.Tenant, l.Tenant()) &&
		oneGlob(f.Type, l.EventType()) &&
		oneOf(f.Reason, string(l.Reason)) &&
		(oneOf(f.Key, l.BusinessKey()) || oneOf(f.Key, string(l.Key))) &&
		oneOf(f.EventID, l.EventID()) &&
		(f.Since.IsZero() || !l.LastFailedAt.Before(f.Since.Time)) &&
		(f.Until.IsZero() || l.LastFailedAt.Before(f.Until.Time)) &&
		(len(f.Partition) == 0 || slices.Contains(f.Partition, l.At.Partition)) &&
		l.At.Offset >= f.FromOffset && (f.ToOffset == 0 || l.At.Offset < f.ToOffset) &&
		f.fingerprint(l)
}

// fingerprint comes last: it costs more than all others.
func (f *Filter) fingerprint(l *letters.Letter) bool {
	if len(f.Fingerprint) == 0 {
		return true
	}
	have := l.Fingerprint()
	return slices.ContainsFunc(f.Fingerprint, func(want string) bool { return strings.HasPrefix(have, strings.ToLower(want)) })
}

func oneOf(want []string, have string) bool {
	return len(want) == 0 || slices.Contains(want, have)
}

// oneGlob is like path.Match, but a slash is a character like any other: Shopify's
// orders/create is found by orders* too.
func oneGlob(globs []string, have string) bool {
	return len(globs) == 0 || slices.ContainsFunc(globs, func(glob string) bool {
		ok, _ := path.Match(unslashed(glob), unslashed(have)) // Validate has checked the pattern
		return ok
	})
}

// unslashed puts a character in place of slashes that is in no event type.
func unslashed(s string) string { return strings.ReplaceAll(s, "/", "\x00") }
