// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"net/http"

	"github.com/hookstream/hookstream/dlq/internal/auth"
	"github.com/hookstream/hookstream/dlq/internal/outcome"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
	"github.com/hookstream/hookstream/schemas/record"
)

// Bounds of what one answer holds.
const (
	defaultPage = 100
	maxPage     = 1000
)

// statuses are those that dlq list --status knows.
var statuses = []string{
	resolutions.Open, string(record.Replayed), string(record.Discarded), "all", resolutions.StateUnreadable,
	string(outcome.Succeeded), string(outcome.FailedAgain), string(outcome.Duplicate), string(outcome.Pending), string(outcome.Unknown),
}

func (h *handler) list(r *http.Request, _ *auth.Caller) (answer, error) {
	p := newParams(r.URL.Query())
	q := Query{
		Status: p.oneOf("status", resolutions.Open, statuses...), Run: p.one("run", ""),
		Limit: int(p.int("limit", defaultPage, 1, maxPage)), Cursor: p.one("cursor", ""), Filter: p.filter(),
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	page, err := h.ops.List(r.Context(), &q)
	if err != nil {
		return nil, err
	}
	return ok(page)
}

func (h *handler) show(r *http.Request, _ *auth.Caller) (answer, error) {
	p := newParams(r.URL.Query())
	v := View{Payload: p.bool("payload", true), Redact: p.bool("redact", false)}
	if err := p.end(); err != nil {
		return nil, err
	}
	letter, err := h.ops.Show(r.Context(), r.PathValue("id"), v)
	if err != nil {
		return nil, err
	}
	return ok(letter)
}

func (h *handler) stats(r *http.Request, _ *auth.Caller) (answer, error) {
	p := newParams(r.URL.Query())
	limit, f := p.int("limit", defaultPage, 1, maxPage), p.filter()
	if err := p.end(); err != nil {
		return nil, err
	}
	stats, err := h.ops.Stats(r.Context(), &f, int(limit))
	if err != nil {
		return nil, err
	}
	return ok(stats)
}

func (h *handler) history(r *http.Request, _ *auth.Caller) (answer, error) {
	p := newParams(r.URL.Query())
	q := HistoryQuery{ID: p.one("id", ""), By: p.one("by", ""), Since: p.when("since"), Limit: int(p.int("limit", defaultPage, 1, maxPage))}
	if err := p.end(); err != nil {
		return nil, err
	}
	runs, err := h.ops.History(r.Context(), &q)
	if err != nil {
		return nil, err
	}
	return ok(map[string]any{"items": runs})
}

func (h *handler) outcomes(r *http.Request, _ *auth.Caller) (answer, error) {
	if err := newParams(r.URL.Query()).end(); err != nil {
		return nil, err
	}
	counts, err := h.ops.Outcomes(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return ok(map[string]any{"replay_id": r.PathValue("id"), "outcomes": counts})
}
