// SPDX-License-Identifier: Apache-2.0

// Package command is the command line of schemas.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/internal/document"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/schemas/setting"
	"github.com/hookstream/hookstream/schemas/topic"
)

// Exit codes, beside 0.
const (
	exitRefused = 1 // a schema is incompatible
	exitUsage   = 2
	exitFailed  = 3 // the registry cannot be asked
)

// checkTimeout bounds all questions to the registry.
const checkTimeout = 30 * time.Second

var errIncompatible = errors.New("incompatible")

type cli struct {
	List     list     `cmd:"" help:"List the entities with their topics and the number of fields."`
	Show     show     `cmd:"" help:"Print the Avro schema of an entity as it is registered."`
	Check    check    `cmd:"" help:"Compare every schema with all versions in a registry, in both directions (FULL_TRANSITIVE); nothing is written. Exit code 1 when one is incompatible, 3 when the registry cannot be asked."`
	Document describe `cmd:"" help:"Print the documentation of the event topics: --format markdown or asyncapi."`
}

// Main runs one command and returns the exit code.
func Main(ctx context.Context, stdout, stderr io.Writer, args []string) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c, kong.Name("schemas"),
		kong.Description("The canonical schemas of Hookstream's event topics.\n\nExamples:\n  schemas list\n  schemas show payment\n  schemas check --registry-url http://localhost:8081 -o json"),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { exited = code }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(stdout, (*io.Writer)(nil)))
	if err != nil {
		fmt.Fprintln(stderr, "schemas:", err)
		return exitUsage
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return exited // --help
	}
	if err != nil {
		fmt.Fprintln(stderr, "schemas:", setting.Explain(parser.Model, err))
		return exitUsage
	}
	switch err := parsed.Run(); {
	case errors.Is(err, errIncompatible):
		return exitRefused
	case err != nil:
		fmt.Fprintln(stderr, "schemas:", err)
		return exitFailed
	}
	return 0
}

// format is how a command that prints a table writes it.
type format struct {
	Output string `help:"table or json." short:"o" enum:"table,json" default:"table"`
}

// print writes rows as JSON, or as a table with the given head and cells.
func print[T any](w io.Writer, f format, rows []T, head string, cells func(T) string) error {
	if f.Output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(rows)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, head)
	for _, r := range rows {
		fmt.Fprintln(t, cells(r))
	}
	return t.Flush()
}

type list struct {
	Topics topic.Names `embed:""`
	format
}

type listed struct {
	Entity string `json:"entity"`
	Topic  string `json:"topic"`
	Fields int    `json:"fields"`
	Doc    string `json:"doc"`
}

func (c *list) Run(w io.Writer) error {
	var rows []listed
	for _, e := range event.Entities() {
		rows = append(rows, listed{e.Name, c.Topics.Events(e.Name), len(e.Fields), e.Doc})
	}
	return print(w, c.format, rows, "ENTITY\tTOPIC\tFIELDS", func(l listed) string {
		return fmt.Sprintf("%s\t%s\t%d", l.Entity, l.Topic, l.Fields)
	})
}

type show struct {
	Entity string `arg:"" help:"Name of the entity, as list prints it."`
}

func (c *show) Run(w io.Writer) error {
	e, ok := event.Lookup(c.Entity)
	if !ok {
		return fmt.Errorf("no entity is called %q; there are %v", c.Entity, event.Names())
	}
	_, err := fmt.Fprintln(w, e.Schema())
	return err
}

type check struct {
	Topics   topic.Names     `embed:""`
	Registry registry.Config `embed:"" prefix:"registry-" set:"registry_url=http://localhost:8081"`
	format
}

// Validate checks the flags.
func (c *check) Validate() error {
	if c.Registry.URL == "" {
		return errors.New("HOOKSTREAM_REGISTRY_URL is empty")
	}
	return nil
}

func (c *check) Run(ctx context.Context, w io.Writer) error {
	client, err := c.Registry.Client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var rows []registry.Standing
	var refused error
	for _, e := range event.Entities() {
		s, err := registry.Check(ctx, client, c.Topics.Events(e.Name), e)
		if err != nil {
			return err
		}
		if s.State == registry.Incompatible {
			refused = errIncompatible
		}
		rows = append(rows, s)
	}
	err = print(w, c.format, rows, "ENTITY\tSUBJECT\tVERSIONS\tSTATE", standing)
	return errors.Join(err, refused)
}

func standing(s registry.Standing) string {
	line := fmt.Sprintf("%s\t%s\t%d\t%s", s.Entity, s.Subject, s.Versions, s.State)
	for _, c := range s.Conflicts {
		line += fmt.Sprintf("\n  version %d (id %d): %s", c.Version, c.ID, c.Reason)
	}
	return line
}

type describe struct {
	Topics         topic.Names `embed:""`
	DefinitionsDir string      `help:"Folder of provider definitions laid over the embedded ones." env:"HOOKSTREAM_DEFINITIONS_DIR" placeholder:"DIR" is:"optional folder"`
	Format         string      `help:"markdown or asyncapi." enum:"markdown,asyncapi" default:"markdown"`
}

func (c *describe) Run(w io.Writer) error {
	if c.Format == "asyncapi" {
		text, err := document.AsyncAPI(c.Topics)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	}
	catalog, err := provider.Load(c.DefinitionsDir)
	if err != nil {
		return err
	}
	text, err := document.Markdown(c.Topics, catalog)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}
