// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/hookstream/hookstream/dlq/internal/edit"
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
	if err := s.open(); err != nil {
		return err
	}
	found, err := s.find(c.ID)
	if err != nil {
		return err
	}
	edited, err := c.edited(s, found.Value)
	if err != nil {
		return usageError{err}
	}
	value, changed, err := edit.ByHand(found.Value, edited)
	switch {
	case err != nil:
		return usageError{err}
	case changed == nil:
		fmt.Fprintln(s.Err, "nothing was edited, so nothing is sent; dlq replay sends it as it is")
		return errPartial
	}
	job, err := c.job()
	if err != nil {
		return err
	}
	job.IDs = []string{c.ID}
	job.Edit = func(*letters.Letter) ([]byte, *record.Edit, error) { return value, changed, nil }
	return c.sending.run(s, &c.decided, job)
}

// edited is what the operator made of the payload.
func (c *editCommand) edited(s *session, payload []byte) ([]byte, error) {
	switch {
	case c.File == "-":
		return io.ReadAll(s.In)
	case c.File != "":
		return os.ReadFile(c.File)
	case !s.InTerminal:
		return nil, errors.New("nobody is at a terminal to edit: give the payload with --file")
	}
	return inEditor(s, payload)
}

// inEditor opens $VISUAL or $EDITOR with JSON indented. The file is in a folder
// that only its owner can read, and goes when the editor ends.
func inEditor(s *session, payload []byte) ([]byte, error) {
	dir, err := os.MkdirTemp("", "dlq-edit-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "payload.json")
	var b bytes.Buffer
	if json.Indent(&b, payload, "", "  ") == nil {
		b.WriteByte('\n')
		payload = b.Bytes()
	}
	if err := os.WriteFile(file, payload, 0o600); err != nil {
		return nil, err
	}
	editor := strings.Fields(cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR"), "vi"))
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
