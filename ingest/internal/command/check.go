// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/hookstream/hookstream/ingest/internal/example"
	"github.com/hookstream/hookstream/schemas/fixture"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/yamlfile"
	"github.com/hookstream/hookstream/stage/service"
	"github.com/hookstream/hookstream/stage/terminal"
)

type checkCommand struct {
	Path   string `arg:"" name:"file|dir" help:"A definition, or a folder of them."`
	Output string `short:"o" help:"Format: ${enum}." enum:"text,json" default:"text"`
}

// Help is shown below the usage.
func (*checkCommand) Help() string {
	return `Parses the definition, compiles its mapping, and tries both on what is beside it:

  examples/PROVIDER/*.yaml  signed requests, which go through the edge and the
                            mapping as in production, but without Kafka
  fixtures/PROVIDER/*.yaml  unsigned requests and the exact events that must come of
                            them, which only the mapping sees

The events that came out are shown, in one line each; -o json has them whole. A rule of
events that neither tries is a problem. What is wrong is written as file:line: field:
message.

Examples:
  ingest check-provider providers/acme.yaml
  ingest check-provider providers -o json

Exit codes:
  0  everything holds
  1  something is wrong
  2  wrong usage

docs/adding-a-provider.md walks through a definition and its examples.`
}

// checked is one definition, what came of its examples and fixtures, and what is
// wrong with it.
type checked struct {
	File     string              `json:"file"`
	Provider string              `json:"provider,omitempty"`
	Examples int                 `json:"examples"`
	Refused  int                 `json:"refused"`
	Fixtures int                 `json:"fixtures"`
	Outcomes []*example.Outcome  `json:"outcomes"`
	Problems []*yamlfile.Problem `json:"problems"`
}

// Run checks and reports.
func (c *checkCommand) Run(k *kong.Context) error {
	files, err := definitionFiles(c.Path)
	if err != nil {
		return err
	}
	var all []*checked
	ok := true
	for _, file := range files {
		result := check(file)
		ok = ok && len(result.Problems) == 0
		all = append(all, result)
	}
	if c.Output == "json" {
		err = writeJSON(k.Stdout, all)
	} else {
		err = report(k.Stdout, all, terminal.PainterFor(k.Stdout))
	}
	if err == nil && !ok {
		return service.Exit(service.ExitFailed)
	}
	return err
}

// definitionFiles are path, or the definitions in it where it is a folder.
func definitionFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	files, err := filepath.Glob(filepath.Join(path, "*.yaml"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s holds no definitions, which are files named PROVIDER.yaml", path)
	}
	slices.Sort(files)
	return files, err
}

func check(file string) *checked {
	result := &checked{File: file, Outcomes: []*example.Outcome{}, Problems: []*yamlfile.Problem{}}
	data, err := os.ReadFile(file)
	if err != nil {
		result.add(err)
		return result
	}
	def, err := provider.Parse(file, data)
	if err != nil {
		result.add(err)
		return result
	}
	result.Provider = def.Provider
	checker, err := example.NewChecker(def)
	if err != nil {
		result.add(err)
		return result
	}
	result.try(checker)
	return result
}

// try holds the definition to its examples and fixtures.
func (c *checked) try(checker *example.Checker) {
	examples, err := example.Load(example.Dir(c.File, c.Provider))
	c.add(err)
	for _, e := range examples {
		c.Examples++
		if e.Want.Refused != "" {
			c.Refused++
		}
		c.tell(checker.Check(e))
	}
	fixtures, unread := fixture.LoadOf(c.File, c.Provider)
	c.add(unread)
	for _, f := range fixtures {
		c.Fixtures++
		c.tell(checker.CheckFixture(f))
	}
	if err == nil && unread == nil {
		c.add(checker.Untried())
	}
}

func (c *checked) tell(out *example.Outcome, err error) {
	if out != nil {
		c.Outcomes = append(c.Outcomes, out)
	}
	c.add(err)
}

func (c *checked) add(err error) {
	c.Problems = append(c.Problems, yamlfile.Problems(c.File, err)...)
}

// report writes a line a definition, below what came of it and its problems.
func report(w io.Writer, all []*checked, p terminal.Painter) error {
	for _, c := range all {
		for _, o := range c.Outcomes {
			if _, err := fmt.Fprintln(w, p.Text(outcomeLine(o), terminal.Dim)); err != nil {
				return err
			}
		}
		for _, problem := range c.Problems {
			if _, err := fmt.Fprintln(w, problem); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(w, c.verdict(p)); err != nil {
			return err
		}
	}
	return nil
}

func (c *checked) verdict(p terminal.Painter) string {
	if n := len(c.Problems); n > 0 {
		return p.Text(fmt.Sprintf("%s: %s", c.File, plural(n, "problem")), terminal.Red)
	}
	cases := plural(c.Examples, "example")
	if c.Fixtures > 0 {
		cases += " and " + plural(c.Fixtures, "fixture")
	}
	text := p.Text(fmt.Sprintf("%s: holds in %s", c.File, cases), terminal.Green)
	switch {
	case c.Examples == 0:
		text += p.Text(fmt.Sprintf(": add one that is accepted and one that is refused to %s", example.Dir(c.File, c.Provider)), terminal.Yellow)
	case c.Refused == 0:
		text += p.Text(": add one that is refused, for instance with another secret", terminal.Yellow)
	}
	return text
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
