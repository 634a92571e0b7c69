// SPDX-License-Identifier: Apache-2.0

package example

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hookstream/hookstream/ingest/internal/evidence"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/mapping"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/problem"
)

// Checker holds one definition to examples and to fixtures of its mapping.
type Checker struct {
	def    *provider.Definition
	mapper *mapping.Mapper
	// tried are the rules of the definition that something came to.
	tried map[*provider.Rule]bool
}

// NewChecker compiles the definition's mapping. The error joins every problem,
// each with its file and line.
func NewChecker(def *provider.Definition) (*Checker, error) {
	mapper, err := mapping.Compile(def)
	return &Checker{def, mapper, map[*provider.Rule]bool{}}, err
}

// Check sends the example through the edge as it answers in production, with
// memory in place of Kafka, and what is stored through the mapping. The error
// joins everything that is not as the example wants, each with its file and
// line; the outcome is there all the same, unless the request could not be sent.
func (c *Checker) Check(e *Example) (*Outcome, error) {
	r, err := e.httpRequest(c.def)
	if err != nil {
		return nil, err
	}
	w, err := newWorld(c.def, e, tenantOf(r))
	if err != nil {
		return nil, err
	}
	got := response{header: http.Header{}}
	w.handler.ServeHTTP(&got, r)
	errs := e.compareAnswer(c.def, &got)
	webhooks, err := w.produced.webhooks()
	if err != nil {
		return nil, e.problem(path{"want", "records"}, "what was stored cannot be read: %v", err)
	}
	out := &Outcome{File: e.File, Status: got.status, Refused: refusal(&got), Events: []*Event{}}
	errs = append(errs, e.compareRecords(webhooks)...)
	errs = append(errs, c.checkEvidence(e, w, webhooks)...)
	return out, errors.Join(append(errs, c.checkMapping(e, webhooks, out)...)...)
}

// checkEvidence verifies what was stored again, from the records alone.
func (c *Checker) checkEvidence(e *Example, w *world, webhooks []*record.Webhook) (errs []error) {
	again := evidence.NewChecker(c.def, w.verifier)
	for i, stored := range webhooks {
		verdict := again.Check(context.Background(), stored, webhooks, w.keys)
		if verdict.Outcome != evidence.Verified && again.Provable(stored) {
			errs = append(errs, e.problem(path{"want", "records", i}, "ingest verify-record could not verify it again: %s", verdict.Reason))
		}
	}
	return errs
}

// checkMapping maps what was stored as transform does, and finds what that would
// dead-letter for the definition's sake.
func (c *Checker) checkMapping(e *Example, webhooks []*record.Webhook, out *Outcome) (errs []error) {
	for i, w := range webhooks {
		_, err := c.mapped(w, out)
		var failed *mapping.Error
		if errors.As(err, &failed) && failed.Reason != reason.Unmapped {
			errs = append(errs, e.problem(path{"want", "records", i}, "transform would dead-letter it: %v", err))
		}
	}
	return errs
}

func (e *Example) compareAnswer(def *provider.Definition, got *response) (errs []error) {
	cause := refusal(got)
	if want := e.status(def); got.status != want {
		errs = append(errs, e.problem(path{"want", "status"}, "got %d, want %d%s", got.status, want, got.detail()))
	}
	if cause != e.Want.Refused {
		errs = append(errs, e.problem(path{"want", "refused"}, "got %q, want %q%s", cause, e.Want.Refused, got.detail()))
	}
	if want := e.Want.Answer; want != nil && got.body.String() != *want {
		errs = append(errs, e.problem(path{"want", "answer"}, "got %q, want %q", got.body.String(), *want))
	}
	return errs
}

// status is the wanted one, or what the definition answers.
func (e *Example) status(def *provider.Definition) int {
	switch {
	case e.Want.Status != 0:
		return e.Want.Status
	case e.Want.Refused != "":
		return http.StatusUnauthorized
	case def.Answer == nil:
		return http.StatusAccepted
	case def.Answer.Status == 0:
		return http.StatusOK
	}
	return def.Answer.Status
}

// refusal is the cause with which the detail of a 401 begins.
func refusal(got *response) string {
	if got.status != http.StatusUnauthorized {
		return ""
	}
	cause, _, _ := strings.Cut(got.problem().Detail, ":")
	return cause
}

// detail explains a refusal, for errors.
func (r *response) detail() string {
	if d := r.problem().Detail; d != "" {
		return ": " + d
	}
	return ""
}

func (r *response) problem() (p struct{ Detail string }) {
	if r.header.Get("Content-Type") == problem.ContentType {
		_ = json.Unmarshal(r.body.Bytes(), &p) // the status was compared
	}
	return p
}

func (e *Example) compareRecords(got []*record.Webhook) (errs []error) {
	want := e.Want.Records
	if len(got) != len(want) {
		errs = append(errs, e.problem(path{"want", "records"}, "%d stored, want %d%s", len(got), len(want), described(got)))
	}
	for i := range min(len(got), len(want)) {
		errs = append(errs, e.compareRecord(i, got[i])...)
	}
	return errs
}

// described lists records as an example's author would write them.
func described(webhooks []*record.Webhook) string {
	var b strings.Builder
	for _, w := range webhooks {
		fmt.Fprintf(&b, "; {id: %q, natural: %t, type: %q, key: %q, time: %s, tenant: %s, sequence: %s, defect: %s}", w.EventID,
			w.IdentitySource == identity.NaturalKey, w.EventType, w.BusinessKey, timeText(&w.OccurredAt), w.Tenant, intText(w.Sequence), orNull(string(w.Defect)))
	}
	return b.String()
}

func (e *Example) compareRecord(i int, got *record.Webhook) (errs []error) {
	want := &e.Want.Records[i]
	same := func(field, got, want string) {
		if got != want {
			errs = append(errs, e.problem(path{"want", "records", i, field}, "got %q, want %q", got, want))
		}
	}
	// Where a record has a defect, the edge makes up what is not given here.
	given := func(field, got, want string) {
		if want != "" {
			same(field, got, want)
		}
	}
	given("id", got.EventID, want.ID)
	given("type", got.EventType, want.Type)
	given("key", got.BusinessKey, want.Key)
	same("natural", fmt.Sprint(got.IdentitySource == identity.NaturalKey), fmt.Sprint(want.Natural))
	same("time", timeText(&got.OccurredAt), timeText(want.Time))
	same("tenant", got.Tenant, tenantOr(want.Tenant))
	same("sequence", intText(got.Sequence), intText(want.Sequence))
	same("defect", orNull(string(got.Defect)), orNull(want.Defect))
	return errs
}

// timeText writes a time as exactly as records carry it.
func timeText(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "null"
	}
	return t.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
}

func intText(n *int64) string {
	if n == nil {
		return "null"
	}
	return fmt.Sprint(*n)
}

func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return s
}
