// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/action"
	"github.com/hookstream/hookstream/dlq/internal/console"
	"github.com/hookstream/hookstream/dlq/internal/edit"
	"github.com/hookstream/hookstream/dlq/internal/filter"
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
	"github.com/hookstream/hookstream/dlq/internal/serve"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/setting"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/postgres"
	"github.com/hookstream/hookstream/stage/service"
)

// Info describes the service mode.
var Info = service.Info{
	Name:         "dlq",
	Description:  "Offers the operations on dead letters as an HTTP API.",
	AdminAddress: ":8084",
}

// ServiceConfig is the configuration of the service mode, dlq serve.
type ServiceConfig struct {
	service.Common `embed:""`
	Kafka          kafka.Config   `embed:""`
	Database       setting.Secret `name:"database-url" help:"The sink's Postgres, to tell what became of replays; only its ledger is read. Without it that is unknown." env:"HOOKSTREAM_DATABASE_URL" placeholder:"URL"`
	API            serve.Config   `embed:""`
	DefinitionsDir string         `help:"Folder of provider definitions laid over the embedded ones, as for transform; simulations use them." env:"HOOKSTREAM_DEFINITIONS_DIR" placeholder:"DIR" is:"optional folder"`
}

// Validate checks what belongs together. Errors name the variable.
func (c *ServiceConfig) Validate() error {
	return errors.Join(setting.Check(c), c.Kafka.Validate(), c.API.Validate(), checkDatabase(c.Database))
}

// checkDatabase holds the URL of a database that may be left out to its form.
func checkDatabase(url setting.Secret) error {
	if url == "" {
		return nil
	}
	if err := postgres.Check(url); err != nil {
		return fmt.Errorf("HOOKSTREAM_DATABASE_URL %w", err)
	}
	return nil
}

// Service is the service mode.
type Service = serve.Service

// New checks the configuration and opens the listeners. It connects to nothing;
// Run does, and answers until its context ends.
func New(cfg ServiceConfig, log *slog.Logger) (*Service, error) {
	return serve.New(cfg.API, cfg.Common, &cfg.Kafka, &api{&cfg}, log)
}

type serveCommand struct {
	service.Common `embed:""`
	serve.Config   `embed:""`
	DefinitionsDir string `help:"Folder of provider definitions laid over the embedded ones, as for transform; simulations use them." env:"HOOKSTREAM_DEFINITIONS_DIR" placeholder:"DIR" is:"optional folder"`
}

// Validate checks the flags. Embedding two structs leaves open whose it is.
func (c *serveCommand) Validate() error { return errors.Join(setting.Check(c), c.Config.Validate()) }

// Help has examples.
func (c *serveCommand) Help() string {
	return `Examples:
  TOKEN=$(openssl rand -hex 32)
  SUM=$(printf %s "$TOKEN" | sha256sum | cut -d' ' -f1)
  echo "alice $SUM read,simulate,replay" > tokens
  dlq serve --tokens-file tokens
  curl -H "Authorization: Bearer $TOKEN" localhost:8090/v1/stats`
}

// errStopped is a failure of the service that has been told already.
var errStopped = errors.New("stopped by a failure")

// Run serves until a signal.
func (c *serveCommand) Run(s *session) error {
	cfg := ServiceConfig{Common: c.Common, Kafka: *s.cfg, Database: s.database, API: c.Config, DefinitionsDir: c.DefinitionsDir}
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	start := func(ctx context.Context, log *slog.Logger) error {
		svc, err := New(cfg, log) //nolint:contextcheck // New waits for nothing
		if err != nil {
			return err
		}
		return svc.Run(ctx)
	}
	if Info.Run(&cfg, start) != 0 {
		return errStopped
	}
	return nil
}

type healthcheckCommand struct {
	AdminAddress string `help:"Admin address of dlq serve." default:"${admin_address}" env:"HOOKSTREAM_ADMIN_ADDRESS" is:"listener"`
}

// Run asks. What is wrong was printed.
func (c *healthcheckCommand) Run(*session) error {
	if service.Healthcheck(c.AdminAddress) != 0 {
		return errStopped
	}
	return nil
}

// api runs the commands for the HTTP API: each call is a session of its own, as
// each command is.
type api struct{ cfg *ServiceConfig }

// session runs do as a command is run, without a terminal, and gives what it
// prints.
func (a *api) session(ctx context.Context, do func(s *session) error) (json.RawMessage, error) {
	var out bytes.Buffer
	cfg := a.cfg.Kafka // a command may change it
	s := &session{ctx: ctx, cfg: &cfg, database: a.cfg.Database, Console: &console.Console{
		In: strings.NewReader(""), Out: &out, Err: io.Discard,
	}}
	defer s.close() //nolint:contextcheck // the session has it
	err := do(s)
	return out.Bytes(), err
}

// opened is session for what is no command of its own.
func (a *api) opened(ctx context.Context, do func(s *session) error) error {
	_, err := a.session(ctx, func(s *session) error { //nolint:contextcheck // the session has it
		if err := s.open(); err != nil {
			return err
		}
		return do(s)
	})
	return err
}

// List implements serve.Operations.
func (a *api) List(ctx context.Context, q *serve.Query) (*serve.Page, error) {
	after, err := parseCursor(q.Cursor)
	if err != nil {
		return nil, serve.InvalidError{Err: errors.New("cursor is none that a list has given")}
	}
	look := scan{status: q.Status, match: q.Match, run: q.Run}
	if q.Run != "" && q.Status == resolutions.Open { // it sent what is no longer open
		look.status = statusAll
	}
	// One more than the page tells whether there is another.
	newest := newest{limit: q.Limit + 1}
	err = a.opened(ctx, func(s *session) error { //nolint:contextcheck // the session has it
		return s.scan(look, func(l *letters.Letter, status output.Status) error {
			if q.Cursor == "" || after.compare(cursorOf(l)) > 0 {
				newest.add(page{cursorOf(l), output.NewLetter(l, status)})
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	kept, p := newest.sorted(), &serve.Page{Items: []output.Letter{}}
	for i := range kept {
		if i == q.Limit {
			p.Next = kept[i-1].at.String()
			break
		}
		p.Items = append(p.Items, kept[i].letter)
	}
	return p, nil
}

// Show implements serve.Operations.
func (a *api) Show(ctx context.Context, id string, v serve.View) (json.RawMessage, error) {
	c := &showCommand{ID: id, NoPayload: !v.Payload, Redact: v.Redact, Output: "json"}
	shown, err := a.session(ctx, c.Run)
	if errors.Is(err, errPartial) {
		return nil, serve.ErrNotFound
	}
	return shown, err
}

// Stats implements serve.Operations.
func (a *api) Stats(ctx context.Context, f *filter.Filter, limit int) (json.RawMessage, error) {
	c := &statsCommand{Filter: *f, Limit: limit, Output: "json"}
	return a.session(ctx, c.Run)
}

// History implements serve.Operations.
func (a *api) History(ctx context.Context, q *serve.HistoryQuery) (json.RawMessage, error) {
	c := &historyCommand{ID: q.ID, By: q.By, Since: q.Since, Limit: q.Limit, Output: "json"}
	return a.session(ctx, c.Run)
}

// Outcomes implements serve.Operations.
func (a *api) Outcomes(ctx context.Context, replayID string) (map[string]int, error) {
	counts := map[string]int{}
	all := func(*letters.Letter) bool { return true }
	err := a.opened(ctx, func(s *session) error { //nolint:contextcheck // the session has it
		return s.scan(scan{status: statusAll, match: all, run: replayID, strict: true}, func(_ *letters.Letter, status output.Status) error {
			if status.Outcome != nil {
				counts[string(status.Outcome.State)]++
			}
			return nil
		})
	})
	return counts, err
}

// Simulate implements serve.Operations.
func (a *api) Simulate(ctx context.Context, sel *serve.Selection, m serve.Mending, most int) (json.RawMessage, error) {
	c := &simulateCommand{
		selection:      selection{IDs: sel.IDs, Filter: sel.Filter, All: sel.All, Limit: sel.Limit},
		DefinitionsDir: a.cfg.DefinitionsDir, Patch: m.Patch, Identify: m.Identify, Output: "json", most: most,
	}
	if err := c.Validate(); err != nil {
		return nil, serve.InvalidError{Err: err}
	}
	switch out, err := a.session(ctx, c.Run); {
	case err != nil && !errors.Is(err, errPartial):
		return nil, err
	case len(out) == 0: // nothing matched
		return json.Marshal(output.Simulation{})
	default:
		return out, nil
	}
}

// Plan implements serve.Operations.
func (a *api) Plan(ctx context.Context, c *serve.Change) (*serve.Plan, error) {
	job := &action.Job{
		Action: c.Action, IDs: c.IDs, Match: c.Filter.Match, By: c.By, Why: c.Why,
		MaxReplays: cmp.Or(c.MaxReplays, defaultMaxReplays), Limit: c.Limit, BatchSize: defaultBatch, Pace: &action.Pace{Rate: c.Rate},
		Foreign: func(record.Position, error) {}, Planned: func(int) {}, Now: time.Now,
	}
	if c.Action == record.Replayed {
		job.ReplayID = c.ID
	} else {
		job.RunID = c.ID
	}
	var patch *edit.Patch
	if c.Patch != "" {
		var err error
		if patch, err = edit.ParsePatch(c.Patch); err != nil {
			return nil, serve.InvalidError{Err: err}
		}
	}
	job.Edit = editing(ctx, patch)
	if err := identifying(job, c.Identify, a.cfg.DefinitionsDir); err != nil {
		return nil, err
	}
	var plan *action.Plan
	err := a.opened(ctx, func(s *session) (err error) {
		job.Kafka, job.Log, job.TopicExists = s.cfg, s.log, s.topics.Has
		plan, err = job.Plan(s.ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &serve.Plan{Outcome: planned(job, plan), Run: func(ctx context.Context, done func(int)) (int, error) {
		job.Done, job.Edit = done, editing(ctx, patch)
		return job.Run(ctx, plan)
	}, Skipped: func() []action.Refusal { return plan.Skipped }}, nil
}

// editing is action.Job's Edit while ctx lasts; nil without a patch.
func editing(ctx context.Context, patch *edit.Patch) func(*letters.Letter) ([]byte, *record.Edit, error) {
	if patch == nil {
		return nil
	}
	return func(l *letters.Letter) ([]byte, *record.Edit, error) { return patch.Apply(ctx, l.Value) }
}
