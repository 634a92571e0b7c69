// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hookstream/hookstream/dlq/internal/edit"
	"github.com/hookstream/hookstream/dlq/internal/identify"
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/dlq/internal/pattern"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
	"github.com/hookstream/hookstream/dlq/internal/serve"
	"github.com/hookstream/hookstream/dlq/internal/simulate"
)

type simulateCommand struct {
	selection      `embed:""`
	DefinitionsDir string `help:"Folder of provider definitions laid over the embedded ones, as for transform." env:"HOOKSTREAM_DEFINITIONS_DIR" placeholder:"DIR"`
	Patch          string `help:"jq program that mends each payload first, as for dlq replay." placeholder:"JQ"`
	Identify       bool   `help:"Identify what ingest could not first, as for dlq replay."`
	Output         string `short:"o" help:"table, json or yaml." enum:"table,json,yaml" default:"table"`

	patch *edit.Patch
	// most is how many may be tried; 0 is any number.
	most int
}

// Validate checks the flags.
func (c *simulateCommand) Validate() error {
	if c.Patch != "" {
		var err error
		if c.patch, err = edit.ParsePatch(c.Patch); err != nil {
			return err
		}
	}
	return c.selection.Validate()
}

// Run maps the selected open dead letters and counts what would come of them.
// The exit code is 0 if all would pass.
func (c *simulateCommand) Run(s *session) error {
	definitions, err := simulate.New(c.DefinitionsDir, s.cfg.MaxValueBytes())
	if err != nil {
		return usageError{err}
	}
	if err := c.readIDs(s); err != nil {
		return err
	}
	if err := s.open(); err != nil {
		return err
	}
	t := trial{simulateCommand: c, session: s, definitions: definitions, failures: map[string]*output.Failure{}, refused: map[string]int{}}
	if c.Identify {
		if t.identifier, err = identify.New(c.DefinitionsDir); err != nil {
			return usageError{err}
		}
	}
	all := scan{status: resolutions.Open, match: c.selected()}
	if len(c.IDs) > 0 {
		all.status, all.outcomesOf = statusAll, []string{} // what was named is tried, whatever became of it
	}
	if err := s.scan(all, t.try); err != nil && !errors.Is(err, errEnough) {
		return err
	}
	s.warn()
	return t.conclude()
}

// trial is a simulation under way.
type trial struct {
	*simulateCommand
	*session
	definitions *simulate.Simulator
	// identifier is nil where none is wanted.
	identifier *identify.Identifier
	result     output.Simulation
	failures   map[string]*output.Failure
	refused    map[string]int
}

// errEnough ends a scan at --limit.
var errEnough = errors.New("enough")

func (t *trial) try(l *letters.Letter, _ output.Status) error {
	if t.Limit > 0 && t.result.Tried == t.Limit {
		return errEnough
	}
	if t.result.Tried++; t.most > 0 && t.result.Tried > t.most {
		return serve.ErrTooMany
	}
	payload := l.Value
	if t.patch != nil {
		patched, changed, err := t.patch.Apply(t.ctx, payload)
		if t.ctx.Err() != nil { // it says nothing of the dead letter
			return t.ctx.Err()
		}
		if err != nil {
			t.refuse(err)
			return nil
		}
		if changed != nil {
			payload = patched
		}
	}
	sent, err := t.identified(l, payload)
	if err != nil {
		t.refuse(err)
		return nil
	}
	verdict, err := t.definitions.Run(t.ctx, sent, payload)
	switch {
	case t.ctx.Err() != nil:
		return t.ctx.Err()
	case err != nil:
		t.refuse(err)
	case verdict.Err != nil:
		t.failed(l, verdict)
	case verdict.Dropped:
		t.result.Dropped++
	default:
		if t.result.Passed++; t.result.Example == nil {
			t.result.Example = output.NewEvent(l.ID, verdict.Event)
		}
	}
	return nil
}

// identified is l under the identity that the payload gives, if it is to be
// identified.
func (t *trial) identified(l *letters.Letter, payload []byte) (*letters.Letter, error) {
	if t.identifier == nil {
		return l, nil
	}
	d, _, err := t.identifier.DeadLetter(l.Edited(payload, "dlq simulate"))
	if err != nil {
		return nil, err
	}
	under := *l
	under.DeadLetter = d
	return &under, nil
}

// maxRefusals bounds the reasons that are told apart: one may quote a payload.
const maxRefusals = 50

func (t *trial) refuse(err error) {
	why := err.Error()
	if _, ok := t.refused[why]; !ok && len(t.refused) >= maxRefusals {
		why = "for further reasons; select fewer to see them"
	}
	t.refused[why]++
}

func (t *trial) failed(l *letters.Letter, v simulate.Verdict) {
	message := pattern.Of(v.Err.Error())
	key := string(v.Reason) + "\x00" + message
	f := t.failures[key]
	if f == nil {
		f = &output.Failure{Reason: v.Reason, Message: v.Err.Error(), Example: l.ID}
		if len(t.failures) < maxKinds {
			t.failures[key] = f
		}
	}
	f.Count++
	t.result.Failed++
}

func (t *trial) conclude() error {
	r := &t.result
	r.Failures = slices.SortedFunc(maps.Values(t.failures), func(a, b *output.Failure) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Message, b.Message))
	})
	for _, why := range slices.Sorted(maps.Keys(t.refused)) {
		r.Refused = append(r.Refused, output.NotTried{Why: why, Count: t.refused[why]})
		r.Tried -= t.refused[why]
	}
	if r.Tried+len(r.Refused) == 0 {
		fmt.Fprintln(t.Err, "no open dead letter matches")
		return errPartial
	}
	var err error
	if t.Output == "table" {
		err = output.Simulated(t.Out, r)
	} else {
		err = output.Object(t.Out, t.Output, r)
	}
	if err == nil && r.Passed+r.Dropped < r.Tried+len(r.Refused) {
		return errPartial
	}
	return err
}
