// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/hookstream/hookstream/dlq/internal/action"
	"github.com/hookstream/hookstream/dlq/internal/edit"
	"github.com/hookstream/hookstream/dlq/internal/indent"
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/terminal"
)

type editCommand struct {
	ID      string `arg:"" help:"ID of the dead letter, as dlq list prints it."`
	File    string `help:"Take the payload from a file instead of an editor; - is standard input." placeholder:"FILE"`
	decided `embed:""`
	sending `embed:""`
}

// Validate checks the flags.
func (c *editCommand) Validate() error {
	return errors.Join(validID(c.ID), c.validate())
}

// Run edits and replays. Nothing of the dead letter changes, and of the record
// that is sent only the payload: it keeps its identity, key and place in the
// order.
func (c *editCommand) Run(s *session) error {
	job, err := c.job()
	if err := errors.Join(err, c.signed()); err != nil {
		return err
	}
	if err := s.open(); err != nil {
		return err
	}
	found, err := s.find(c.ID)
	if err != nil {
		return err
	}
	if err := c.editable(s, job, found); err != nil {
		return err
	}
	edited, file, err := c.edited(s, found.Value)
	if err == nil {
		err = c.send(s, job, found.Value, edited)
	}
	if file == "" {
		return err
	}
	if c.done > 0 || errors.Is(err, errUnchanged) {
		return errors.Join(err, os.RemoveAll(filepath.Dir(file)))
	}
	fmt.Fprintf(s.Err, "what you edited is kept: go on with --file %s, or remove it\n", file)
	return err
}

// editable refuses, before anybody edits it, what could not be sent.
func (c *editCommand) editable(s *session, job *action.Job, l *letters.Letter) error {
	resolved, err := s.resolutions()
	if err != nil {
		return err
	}
	job.Kafka, job.TopicExists = s.cfg, s.topics.Has
	why := job.Refuses(l, resolved)
	switch {
	case why != "":
	case l.ContentType() == record.AvroContentType:
		why = "its payload is Avro; correct the definition or the constraint instead"
	case c.File == "" && !utf8.Valid(l.Value):
		why = "its payload is no text, which an editor would spoil; give the payload with --file"
	default:
		return nil
	}
	fmt.Fprintf(s.Err, "dlq: %s cannot be edited: %s\n", terminal.Clean(l.ID), terminal.Clean(why))
	return errPartial
}

// errUnchanged ends an edit that changed nothing.
var errUnchanged = fmt.Errorf("nothing was edited: %w", errPartial)

// send sends the edited payload.
func (c *editCommand) send(s *session, job *action.Job, payload, edited []byte) error {
	value, changed, err := edit.ByHand(payload, edited)
	switch {
	case err != nil:
		return usageError{err}
	case changed == nil:
		fmt.Fprintln(s.Err, "nothing was edited, so nothing is sent; dlq replay sends it as it is")
		return errUnchanged
	}
	job.IDs = []string{c.ID}
	job.Edit = func(*letters.Letter) ([]byte, *record.Edit, error) { return value, changed, nil }
	return c.sending.run(s, &c.decided, job)
}

// edited is what the operator made of the payload, and the file that holds it
// where it came from an editor.
func (c *editCommand) edited(s *session, payload []byte) (edited []byte, file string, err error) {
	switch {
	case c.File == "-":
		edited, err = io.ReadAll(s.In)
	case c.File != "":
		edited, err = os.ReadFile(c.File)
	case !s.InTerminal:
		err = errors.New("nobody is at a terminal to edit: give the payload with --file")
	default:
		if file, err = toEdit(payload); err == nil {
			edited, err = inEditor(s, file)
		}
	}
	if err != nil {
		err = usageError{err}
	}
	return edited, file, err
}

// toEdit writes a payload, JSON indented, to a file in a folder that only its
// owner can read.
func toEdit(payload []byte) (file string, err error) {
	dir, err := os.MkdirTemp("", "dlq-edit-")
	if err != nil {
		return "", err
	}
	if text, ok := indent.JSON(payload); ok {
		payload = append(text, '\n')
	}
	file = filepath.Join(dir, "payload.json")
	if err := os.WriteFile(file, payload, 0o600); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return file, nil
}

// inEditor opens a file in $VISUAL or $EDITOR.
func inEditor(s *session, file string) ([]byte, error) {
	editor := strings.Fields(cmp.Or(strings.TrimSpace(os.Getenv("VISUAL")), strings.TrimSpace(os.Getenv("EDITOR")), "vi"))
	cmd := exec.CommandContext(s.ctx, editor[0], append(editor[1:], file)...) //nolint:gosec // the operator's own editor
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.In, s.Out, s.Err
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("editor %s: %w", editor[0], err)
	}
	return os.ReadFile(file)
}

var errFound = errors.New("found")

// find reads the topic until it has the dead letter of an ID.
func (s *session) find(id string) (*letters.Letter, error) {
	var found *letters.Letter
	err := s.letters(func(l *letters.Letter) error {
		if l.ID != id {
			return nil
		}
		found = l
		return errFound
	})
	if err != nil && !errors.Is(err, errFound) {
		return nil, err
	}
	if found == nil {
		s.warn()
		return nil, s.noSuch(id)
	}
	return found, nil
}

// noSuch says that no dead letter has the ID.
func (s *session) noSuch(id string) error {
	fmt.Fprintf(s.Err, "dlq: no dead letter has the ID %s; dlq list --status all --limit 0 has every ID\n", terminal.Clean(id))
	return errPartial
}
