// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/google/uuid"

	"github.com/hookstream/hookstream/dlq/internal/auth"
	"github.com/hookstream/hookstream/dlq/internal/edit"
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/record"
)

// Bounds of a request.
const (
	maxBody       = 1 << 20
	maxWhy        = 1000
	maxReplaysCap = 1000
	maxPatch      = edit.MaxPatch
	// maxValues is how many values a filter may have: each dead letter is compared
	// with all of them.
	maxValues = 1000
)

// selected is the part of a body that says which dead letters.
type selected struct {
	IDs    []string `json:"ids"`
	Filter members  `json:"filter"`
	All    bool     `json:"all"`
	Limit  int      `json:"limit"`
}

// selection makes sure that something is selected, in one way. What is left out
// never means everything.
func (s *selected) selection() (Selection, error) {
	sel := Selection{IDs: s.IDs, All: s.All, Limit: s.Limit, Text: s.text()}
	var err error
	if sel.Filter, err = s.Filter.filter(); err != nil {
		return sel, err
	}
	ways := 0
	for _, used := range []bool{len(s.IDs) > 0, !sel.Filter.Empty(), s.All} {
		if used {
			ways++
		}
	}
	switch {
	case ways != 1:
		return sel, InvalidError{errors.New(`select dead letters by one of "ids", "filter" and "all": true`)}
	case s.Limit < 0:
		return sel, InvalidError{errors.New("limit must not be negative")}
	}
	for _, id := range s.IDs {
		if !letters.IsID(id) {
			return sel, InvalidError{fmt.Errorf("ids: %.100q is not the ID of a dead letter: want stage:topic/partition/offset", id)}
		}
	}
	return sel, nil
}

// maxText bounds what is logged of a selection.
const maxText = 1000

func (s *selected) text() string {
	text := "all"
	switch {
	case len(s.IDs) > 0:
		text = fmt.Sprintf("%d ids: %s", len(s.IDs), strings.Join(s.IDs[:min(len(s.IDs), 10)], " "))
	case !s.All:
		text = s.Filter.values().Encode()
	}
	return strings.ToValidUTF8(text[:min(len(text), maxText)], "")
}

// changeBody is the body of a replay, a discard or an undo.
type changeBody struct {
	selected
	DryRun bool `json:"dry_run"`
	// AtMost is how many the caller agrees to, from the plan of a dry run.
	AtMost *int   `json:"at_most"`
	Why    string `json:"why"`
}

type replayBody struct {
	changeBody
	ID         string  `json:"replay_id"`
	MaxReplays int     `json:"max_replays"`
	Rate       float64 `json:"rate"`
	Mending
}

func (h *handler) replay(r *http.Request, caller *auth.Caller) (answer, error) {
	var body replayBody
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	c := Change{Action: record.Replayed, ID: body.ID, MaxReplays: body.MaxReplays, Rate: body.Rate, Mending: body.Mending}
	switch {
	case c.ID != "" && !validID.MatchString(c.ID):
		return nil, InvalidError{errors.New("replay_id: want at most 128 letters, digits and . _ : -")}
	case c.MaxReplays < 0 || c.MaxReplays > maxReplaysCap:
		return nil, InvalidError{fmt.Errorf("max_replays: want a number from 1 to %d, or 0 for the default", maxReplaysCap)}
	case c.Rate < 0:
		return nil, InvalidError{errors.New("rate must not be negative")}
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	return h.change(r, caller, &c, &body.changeBody)
}

func (h *handler) discard(r *http.Request, caller *auth.Caller) (answer, error) {
	var body changeBody
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	if strings.TrimSpace(body.Why) == "" {
		return nil, InvalidError{errors.New("why is empty: say why they can be given up")}
	}
	return h.change(r, caller, &Change{Action: record.Discarded}, &body)
}

func (h *handler) undo(r *http.Request, caller *auth.Caller) (answer, error) {
	var body changeBody
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	return h.change(r, caller, &Change{Action: record.Reopened}, &body)
}

// validID is what may name a run: it goes into headers, logs and paths.
var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`)

// change plans, checks that the plan is what the caller agreed to, and starts
// it. The same request again, with its replay_id, finds the run or resumes it.
func (h *handler) change(r *http.Request, caller *auth.Caller, c *Change, body *changeBody) (answer, error) {
	var err error
	if c.Selection, err = body.selection(); err != nil {
		return nil, err
	}
	if len(body.Why) > maxWhy {
		return nil, InvalidError{fmt.Errorf("why: want at most %d bytes", maxWhy)}
	}
	if !body.DryRun && body.AtMost == nil && len(c.IDs) == 0 {
		return nil, InvalidError{errors.New("at_most is missing: look at the plan with \"dry_run\": true, then say how many may be changed at most")}
	}
	if c.Patch != "" {
		done, err := h.simulating()
		if err != nil {
			return nil, err
		}
		defer done()
	}
	c.By, c.Why = caller.Name, body.Why
	if c.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, err
		}
		c.ID = id.String()
	}
	if body.DryRun {
		plan, err := h.ops.Plan(r.Context(), c)
		if err != nil {
			return nil, err
		}
		plan.Outcome.DryRun = true
		return ok(plan.Outcome)
	}
	return h.begin(r, c, body.AtMost)
}

// begin starts a change. It is claimed while it is planned, so a second request
// cannot slip in between; a plan that panics must not claim it for ever.
func (h *handler) begin(r *http.Request, c *Change, atMost *int) (answer, error) {
	if other, free := h.runner.claim(c.ID); !free {
		if o := h.runner.get(c.ID); other == c.ID && o != nil {
			state, _ := o.look()
			return accepted(&state), nil
		}
		return nil, refuse(busy, "%s is being carried out; wait for it (GET /v1/operations/%s/events) or stop it", other, url.PathEscape(other))
	}
	started := false
	defer func() {
		if !started {
			h.runner.release()
		}
	}()
	plan, err := h.ops.Plan(r.Context(), c)
	if err == nil && atMost != nil && plan.Outcome.Planned > *atMost {
		err = refuse(tooMany, "%d match by now, at_most is %d; nothing was changed", plan.Outcome.Planned, *atMost)
	}
	if err != nil {
		return nil, err
	}
	if plan.Outcome.Planned == 0 {
		return ok(plan.Outcome) // nothing is left to do
	}
	started = true
	state := h.runner.start(c, plan, correlatedWith(r.Context())) //nolint:contextcheck // it outlives the request
	return accepted(&state), nil
}

func accepted(o *Operation) answer {
	return document{status: http.StatusAccepted, location: "/v1/operations/" + url.PathEscape(o.ID), body: o}
}

func (h *handler) simulate(r *http.Request, _ *auth.Caller) (answer, error) {
	var body struct {
		selected
		Mending
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	sel, err := body.selection()
	if err != nil {
		return nil, err
	}
	if err := body.validate(); err != nil {
		return nil, err
	}
	if sel.Limit > h.simulated {
		return nil, InvalidError{fmt.Errorf("limit is %d, at most %d are simulated at once (HOOKSTREAM_DLQ_MAX_SIMULATED)", sel.Limit, h.simulated)}
	}
	done, err := h.simulating()
	if err != nil {
		return nil, err
	}
	defer done()
	result, err := h.ops.Simulate(r.Context(), &sel, body.Mending, h.simulated)
	if errors.Is(err, ErrTooMany) {
		return nil, refuse(tooMany, "more than %d match, which is the most that are simulated at once (HOOKSTREAM_DLQ_MAX_SIMULATED); select fewer, or say how many to try with limit", h.simulated)
	}
	if err != nil {
		return nil, err
	}
	return ok(result)
}

// simulating takes a place for what computes with payloads, which may take much more
// than to read them.
func (h *handler) simulating() (done func(), err error) {
	select {
	case h.simulations <- struct{}{}:
		return func() { <-h.simulations }, nil
	default:
		return nil, refuse(overloaded, "%d simulations or plans with a patch are in hand (HOOKSTREAM_DLQ_MAX_SIMULATIONS); try again", cap(h.simulations))
	}
}

// decode reads a body, which is one JSON object with known members: a misspelt
// one must not be dropped in silence.
func decode(r *http.Request, into any) error {
	if err := newParams(r.URL.Query()).end(); err != nil {
		return err
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return InvalidError{fmt.Errorf("the body is not the JSON that is wanted: %w", err)}
	}
	if dec.More() {
		return InvalidError{errors.New("the body has more than one JSON value")}
	}
	return nil
}
