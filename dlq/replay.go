// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hookstream/hookstream/dlq/internal/action"
	"github.com/hookstream/hookstream/dlq/internal/edit"
	"github.com/hookstream/hookstream/dlq/internal/identify"
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/record"
)

const (
	defaultMaxReplays = 5
	defaultBatch      = 2000
)

// sending is what all commands have in common that send dead letters again.
type sending struct {
	Why            string        `help:"Why; written to the resolutions." placeholder:"TEXT"`
	MaxReplays     int           `help:"Refuse records that were replayed this often, against loops." default:"5" placeholder:"N"`
	ReplayID       string        `help:"Name of this run, on every record that it sends; a new UUID by default. An interrupted run goes on under its own." placeholder:"ID"`
	Wait           bool          `help:"Wait until it is known what became of each: succeeded, failed again or duplicate. Needs HOOKSTREAM_DATABASE_URL."`
	WaitTimeout    time.Duration `help:"Wait at most this long." default:"5m" placeholder:"DURATION"`
	Identify       bool          `help:"Identify what ingest could not, in the payload as it is sent and with the definitions of now. What has an identity keeps it."`
	DefinitionsDir string        `help:"Folder of provider definitions laid over the embedded ones, as for transform; --identify uses them." env:"HOOKSTREAM_DEFINITIONS_DIR" placeholder:"DIR"`
	Batch          int           `help:"Dead letters a transaction." default:"2000" hidden:""`
}

func (r *sending) validate() error {
	if r.Batch < 1 {
		return fmt.Errorf("--batch %d: must be at least 1", r.Batch)
	}
	return nil
}

// job is a replay without its selection.
func (r *sending) job() (*action.Job, error) {
	if r.ReplayID == "" {
		var err error
		if r.ReplayID, err = newRun(); err != nil {
			return nil, err
		}
	}
	job := &action.Job{Action: record.Replayed, ReplayID: r.ReplayID, Why: r.Why, MaxReplays: r.MaxReplays, BatchSize: r.Batch}
	return job, identifying(job, r.Identify, r.DefinitionsDir)
}

// identifying has the job identify, if that is wanted.
func identifying(job *action.Job, wanted bool, definitions string) error {
	if !wanted {
		return nil
	}
	identifier, err := identify.New(definitions)
	if err != nil {
		return usageError{err}
	}
	job.Identify = identifier.DeadLetter
	return nil
}

// newRun names a run.
func newRun() (string, error) {
	id, err := uuid.NewV7()
	return id.String(), err
}

// run replays and, if asked, waits for what becomes of it.
func (r *sending) run(s *session, d *decided, job *action.Job) error {
	if r.Wait && s.database == "" {
		return usage("--wait needs HOOKSTREAM_DATABASE_URL: the sink's ledger is where a success shows")
	}
	flush := s.exportSpans()
	defer flush()
	err := d.run(s, job)
	if sent := d.sent + d.done; r.Wait && !d.DryRun && sent > 0 && (err == nil || errors.Is(err, errPartial)) {
		if failed := r.wait(s, d.Output, sent); failed != nil {
			return failed
		}
	}
	return err
}

type replayCommand struct {
	change  `embed:""`
	sending `embed:""`
	Rate    float64 `help:"Send at most N a second; 0 is as fast as possible." placeholder:"N"`
	Patch   string  `help:"jq program that mends each payload, for example '.amount |= tonumber'. The dead letter stays as it is; the difference is kept in its resolution." placeholder:"JQ"`

	patch *edit.Patch
}

// Validate checks the flags.
func (r *replayCommand) Validate() error {
	if r.Rate < 0 {
		return fmt.Errorf("--rate %g: must not be negative", r.Rate)
	}
	if r.Patch != "" {
		var err error
		if r.patch, err = edit.ParsePatch(r.Patch); err != nil {
			return err
		}
	}
	return errors.Join(r.validate(), r.change.Validate())
}

// Run replays.
func (r *replayCommand) Run(s *session) error {
	job, err := r.job()
	if err != nil {
		return err
	}
	job.Pace = &action.Pace{Rate: r.Rate}
	if r.patch != nil {
		job.Edit = func(l *letters.Letter) ([]byte, *record.Edit, error) { return r.patch.Apply(s.ctx, l.Value) }
	}
	if err := r.selectInto(s, job); err != nil {
		return err
	}
	return r.sending.run(s, &r.decided, job)
}

type discardCommand struct {
	change `embed:""`
	Why    string `required:"" help:"Why; written to the resolutions." placeholder:"TEXT"`
}

// Validate checks the flags.
func (d *discardCommand) Validate() error {
	if strings.TrimSpace(d.Why) == "" {
		return errors.New("--why is empty: say why they can be given up")
	}
	return d.change.Validate()
}

// Run discards.
func (d *discardCommand) Run(s *session) error {
	return d.runAs(s, record.Discarded, d.Why)
}

type undoCommand struct {
	change `embed:""`
	Why    string `help:"Why; written to the resolutions." placeholder:"TEXT"`
}

// Run takes discards back.
func (u *undoCommand) Run(s *session) error {
	return u.runAs(s, record.Reopened, u.Why)
}
