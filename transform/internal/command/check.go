// SPDX-License-Identifier: Apache-2.0

// Package command holds the commands that the program transform has beside the
// service.
package command

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/alecthomas/kong"

	"github.com/hookstream/hookstream/schemas/fixture"
	"github.com/hookstream/hookstream/schemas/mapping"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/yamlfile"
	"github.com/hookstream/hookstream/stage/service"
)

// Commands are kong's commands.
type Commands struct {
	Check checkCommand `cmd:"" help:"Check a folder of definitions and their mapping fixtures."`
}

type checkCommand struct {
	Dir    string `arg:"" type:"existingdir" help:"Folder of definitions, as HOOKSTREAM_DEFINITIONS_DIR."`
	Output string `short:"o" help:"Format: ${enum}." enum:"text,json" default:"text"`
}

// Help is shown below the usage.
func (*checkCommand) Help() string {
	return `Lays the folder over the embedded definitions, compiles every mapping, and maps the
fixtures in DIR/fixtures/PROVIDER/*.yaml: each holds a webhook and the event that must
come of it. A rule of DIR without a fixture is a problem too. What is wrong is written
as file:line: field: message.

Examples:
  transform check ./providers
  transform check ./providers -o json

Exit codes:
  0  everything holds
  1  something is wrong
  2  wrong usage`
}

// report is what a check found.
type report struct {
	Definitions int                 `json:"definitions"`
	Fixtures    int                 `json:"fixtures"`
	Problems    []*yamlfile.Problem `json:"problems"`
}

// Run checks and reports.
func (c *checkCommand) Run(ctx context.Context, k *kong.Context) error {
	r := report{Problems: []*yamlfile.Problem{}}
	r.check(ctx, c.Dir)
	if err := c.write(k, &r); err != nil {
		return err
	}
	if len(r.Problems) > 0 {
		return service.Exit(service.ExitFailed)
	}
	return nil
}

func (c *checkCommand) write(k *kong.Context, r *report) error {
	if c.Output == "json" {
		e := json.NewEncoder(k.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	for _, p := range r.Problems {
		if _, err := fmt.Fprintln(k.Stdout, p); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(k.Stdout, "%d definitions, %d fixtures, %d problems\n", r.Definitions, r.Fixtures, len(r.Problems))
	return err
}

func (r *report) check(ctx context.Context, dir string) {
	defs, err := provider.Load(dir)
	if err != nil {
		r.add(err)
		return
	}
	ours := map[string]*mapping.Mapper{}
	for name, def := range defs {
		if filepath.Dir(def.File) != filepath.Clean(dir) {
			continue // embedded; its own tests check it
		}
		m, err := mapping.Compile(def) //nolint:contextcheck // compiling runs nothing
		r.add(err)
		if err == nil {
			ours[name] = m
		}
	}
	r.Definitions = len(ours)
	fixtures, err := fixture.Load(filepath.Join(dir, "fixtures"))
	r.add(err)
	tried := map[*provider.Rule]bool{}
	for _, f := range fixtures {
		def, m := defs[f.Provider], ours[f.Provider]
		if m == nil {
			r.add(fmt.Errorf("%s: there is no sound definition of %s in %s", f.File, f.Provider, dir))
			continue
		}
		r.Fixtures++
		tried[def.RuleFor(f.Want.EventType)] = true
		r.compare(ctx, f, def, m)
	}
	for name := range ours {
		r.untried(defs[name], tried)
	}
}

// compare maps one fixture.
func (r *report) compare(ctx context.Context, f *fixture.Fixture, def *provider.Definition, m *mapping.Mapper) {
	w, err := f.Webhook(def)
	if err != nil {
		r.add(err)
		return
	}
	ev, err := m.Map(ctx, w)
	if err != nil {
		r.add(fmt.Errorf("%s: %w", f.File, err))
		return
	}
	for _, p := range f.Compare(w, ev) {
		r.add(p)
	}
}

func (r *report) untried(def *provider.Definition, tried map[*provider.Rule]bool) {
	for i := range def.Events {
		if !tried[&def.Events[i]] {
			r.add(def.Problem(fmt.Sprintf("no fixture has one of the types %v", def.Events[i].Types), "events", i))
		}
	}
}

func (r *report) add(err error) { r.Problems = append(r.Problems, yamlfile.Problems("", err)...) }
