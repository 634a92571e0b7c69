// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hookstream/hookstream/dlq/internal/action"
	"github.com/hookstream/hookstream/dlq/internal/filter"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/schemas/record"
)

// Operations are what the command line does too: the API has no implementation
// of its own. Errors are ErrNotFound, an InvalidError, or say what is away.
type Operations interface {
	List(ctx context.Context, q *Query) (*Page, error)
	// Show gives one dead letter as dlq show -o json does.
	Show(ctx context.Context, id string, v View) (json.RawMessage, error)
	// Stats gives the kinds of failure as dlq stats -o json does.
	Stats(ctx context.Context, f *filter.Filter, limit int) (json.RawMessage, error)
	// History gives what was done, the newest first, as dlq history -o json does.
	History(ctx context.Context, q *HistoryQuery) (json.RawMessage, error)
	// Outcomes counts what became of what a replay sent, by the state.
	Outcomes(ctx context.Context, replayID string) (map[string]int, error)
	// Simulate runs the definitions of now over open dead letters, mended first, as
	// dlq simulate -o json does. It sends nothing.
	// ErrTooMany is that more than most would be tried.
	Simulate(ctx context.Context, sel *Selection, m Mending, most int) (json.RawMessage, error)
	// Plan looks what a change would do.
	Plan(ctx context.Context, c *Change) (*Plan, error)
}

// ErrNotFound is that no dead letter has the ID.
var ErrNotFound = errors.New("no dead letter has this ID")

// ErrTooMany is that more dead letters are selected than may be.
var ErrTooMany = errors.New("too many dead letters are selected")

// InvalidError is for the caller to correct.
type InvalidError struct{ Err error }

// Error is what is wrong.
func (e InvalidError) Error() string { return e.Err.Error() }

// Unwrap is the cause.
func (e InvalidError) Unwrap() error { return e.Err }

// Query is which dead letters to list.
type Query struct {
	filter.Filter
	// Status as dlq list --status knows it, and Run the ID of a replay.
	Status, Run string
	Limit       int
	// Cursor is where the page before ended, or "".
	Cursor string
}

// Page is part of a list, newest first.
type Page struct {
	Items []output.Letter `json:"items"`
	// Next is the cursor of the next page; empty on the last.
	Next string `json:"next_cursor,omitempty"`
}

// View is how much of a dead letter to show.
type View struct{ Payload, Redact bool }

// HistoryQuery is what of the history to give; what is empty selects all.
type HistoryQuery struct {
	// ID of a dead letter.
	ID    string
	By    string
	Since filter.When
	// Limit is the most runs.
	Limit int
}

// Selection is dead letters by one of: their IDs, a filter, or all open ones.
type Selection struct {
	IDs    []string
	Filter filter.Filter
	All    bool
	// Limit is the most to take; 0 is all.
	Limit int
	// Text says it in the audit: all, the filter, or some of the IDs.
	Text string
}

// Change is what to do with which dead letters.
type Change struct {
	Selection
	// Action is Replayed, Discarded or Reopened.
	Action record.Action
	// By and Why are written to the resolutions.
	By, Why string
	// ID names the run; on every record that a replay sends.
	ID string
	// MaxReplays refuses what was replayed so often; 0 is the default.
	MaxReplays int
	// Rate is dead letters a second; 0 is as fast as possible.
	Rate float64
	Mending
}

// Mending is what is done to a payload before it is used.
type Mending struct {
	// Patch is a jq program; empty is none.
	Patch string `json:"patch"`
	// Identify finds the identity of what ingest could not identify, in the patched
	// payload.
	Identify bool `json:"identify"`
}

// validate checks what a caller asks for.
func (m *Mending) validate() error {
	if len(m.Patch) > maxPatch {
		return InvalidError{fmt.Errorf("patch: want at most %d bytes of jq", maxPatch)}
	}
	return nil
}

// Plan is what a change would do, and how to do it.
type Plan struct {
	Outcome output.Outcome
	// Run does it. Done is told how many dead letters the committed
	// transactions have changed; so is the caller at the end. When ctx ends,
	// the transactions in hand are finished.
	Run func(ctx context.Context, done func(n int)) (int, error)
	// Skipped says, after Run, why less was done than was planned; it may be
	// nil.
	Skipped func() []action.Refusal
}
