// SPDX-License-Identifier: Apache-2.0

package journeys

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Kind is one kind of journey, and what came of reconstructing some.
type Kind struct {
	Name string `json:"name"`
	// Known are the events of the kind, as topics, ledger and dead letters say
	// on their own; Traced are those that were reconstructed.
	Known  int `json:"known"`
	Traced int `json:"traced"`
	// Gaps describe what is missing or wrong.
	Gaps []string `json:"gaps,omitempty"`
}

// Missing says of which kinds too few journeys were followed: fewer than least, unless
// the run had no more, or none.
func Missing(kinds []Kind, least int) []string {
	if len(kinds) == 0 {
		return []string{"no journey was followed"}
	}
	var missing []string
	for _, k := range kinds {
		want := min(least, k.Known)
		switch {
		case k.Known == 0:
			missing = append(missing, k.Name+": the run had none")
		case k.Traced < want:
			missing = append(missing, fmt.Sprintf("%s: %d of %d were followed, want %d", k.Name, k.Traced, k.Known, want))
		}
	}
	return missing
}

// The ways, as Delivery.way writes them.
const (
	toEvent    = "request raw event"
	failed     = "request raw dead-letter(transform)"
	sinkFailed = toEvent + " dead-letter(sink)"
)

// Survey reconstructs up to most journeys of every kind and looks for gaps.
func (x *Installation) Survey(ctx context.Context, most int) ([]Kind, error) {
	delivered, err := x.delivered(ctx)
	if err != nil {
		return nil, err
	}
	f := finder{Installation: x, ctx: ctx}
	kinds := f.kinds(delivered)
	if f.err != nil {
		return nil, f.err
	}
	var out []Kind
	for _, k := range kinds {
		found, err := x.reconstruct(ctx, k, most, delivered)
		if err != nil {
			return nil, err
		}
		out = append(out, found)
	}
	return out, nil
}

// atOnce is how many journeys are reconstructed at the same time: most of it is
// waiting for brokers.
const atOnce = 4

func (x *Installation) reconstruct(ctx context.Context, k expected, most int, delivered map[string]int) (Kind, error) {
	ids := k.ids[:min(most, len(k.ids))]
	gaps := make([]string, len(ids))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, id := range ids {
		g.Go(func() error {
			j, err := x.Trace(ctx, "event", id)
			if err != nil {
				return err
			}
			if gap := k.gap(j, delivered[id]); gap != "" {
				gaps[i] = id + ": " + gap
			}
			return nil
		})
	}
	err := g.Wait()
	gaps = slices.DeleteFunc(gaps, func(gap string) bool { return gap == "" })
	return Kind{Name: k.name, Known: len(k.ids), Traced: len(ids), Gaps: gaps}, err
}

// expected are the events of a kind and what must be in their ways.
type expected struct {
	name string
	ids  []string
	way  string
	// one is set where only one of the deliveries must be so.
	one bool
}

func (k *expected) gap(j *Journey, deliveries int) string {
	if what := j.Gap(deliveries); what != "" {
		return what
	}
	if !j.has(k.way, k.one) {
		return fmt.Sprintf("want %q, got %q", k.way, j.Ways())
	}
	return ""
}

// finder looks for events; its first error ends the search.
type finder struct {
	*Installation
	ctx context.Context //nolint:containedctx // lives for one survey
	err error
}

func (f *finder) dead(args ...string) []string {
	if f.err != nil {
		return nil
	}
	var ids []string
	ids, f.err = f.letters(f.ctx, args...)
	return ids
}

func (f *finder) ledger(sql string, args ...any) []string {
	if f.err != nil {
		return nil
	}
	var ids []string
	ids, f.err = f.query(f.ctx, sql, args...)
	return ids
}

// applied are those of the events that the ledger has with an outcome, once.
func (f *finder) applied(outcome string, among []string) []string {
	return f.ledger(`select event_id from hookstream.events where outcome = $1 and event_id = any($2) and replay_count = 0
		and not exists (select from hookstream.deliveries d where d.event_id = events.event_id) order by event_id`, outcome, among)
}

func (f *finder) kinds(delivered map[string]int) []expected {
	mended, conflicts := f.dead("--status", "all", "--reason", "mapping_failed"), f.dead("--status", "all", "--reason", "identity_conflict")
	var once, repeated []string
	for id, n := range delivered {
		switch {
		case slices.Contains(conflicts, id):
		case n > 1:
			repeated = append(repeated, id)
		case !slices.Contains(mended, id):
			once = append(once, id)
		}
	}
	return []expected{
		{name: "applied", ids: f.applied("applied", once), way: "applied: " + toEvent + " row(sink)"},
		{name: "stale", ids: f.applied("stale", once), way: "stale: " + toEvent + " row(sink)"},
		{name: "superseded", ids: f.applied("superseded", once), way: "superseded: " + toEvent + " row(sink)"},
		{name: "duplicate", ids: f.applied("applied", repeated), way: "duplicate: request raw duplicate(transform)", one: true},
		{
			name: "repeat in the ledger", ids: f.ledger("select distinct event_id from hookstream.deliveries order by event_id"),
			way: toEvent + " row(sink) event duplicate(sink)", one: true,
		},
		{name: "conflict", ids: conflicts, way: "conflict: " + failed, one: true},
		{name: "dead-lettered in transform", ids: f.dead("--status", "open", "--reason", "malformed_body"), way: "dead-lettered: " + failed},
		{name: "dead-lettered in the sink", ids: f.dead("--status", "open", "--reason", "invalid_value"), way: "dead-lettered: " + sinkFailed, one: true},
		{name: "discarded", ids: f.dead("--status", "discarded"), way: "discarded: " + failed + " discarded"},
		{
			name: "edited and replayed", ids: f.ledger(`select event_id from hookstream.events where event_id = any($1) order by event_id`, mended),
			way: "applied: " + failed + " replayed raw event row(sink)", one: true,
		},
		{
			name: "failed again in the sink", ids: f.dead("--status", "failed-again", "--reason", "invalid_value"),
			way: "dead-lettered: " + sinkFailed + " replayed sink-replay dead-letter(sink)",
		},
	}
}
