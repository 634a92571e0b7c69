// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestHelp runs the program, because help ends the process.
func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"replay", "--help"}} {
		cmd := exec.CommandContext(t.Context(), "go", append([]string{"run", "./cmd/dlq"}, args...)...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, errs.String())
		}
		for _, want := range []string{"Usage: dlq", "--brokers"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("%v: no %q in:\n%s", args, want, out)
			}
		}
	}
}

// TestEveryCommandHasAnExample in its help.
func TestEveryCommandHasAnExample(t *testing.T) {
	parser, err := kong.New(&Config{}, kong.Vars{"version": "", "by": "", "admin_address": ""})
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Children {
		_, examples, found := strings.Cut(command.Detail, "Examples:\n")
		if !found || !strings.Contains(examples, "dlq "+command.Name) {
			t.Errorf("%s has no example", command.Name)
		}
		for line := range strings.Lines(command.Detail) {
			if len(strings.TrimSuffix(line, "\n")) > 90 {
				t.Errorf("%s is wide: %s", command.Name, line)
			}
		}
	}
}

func TestUsageErrors(t *testing.T) {
	w := &world{TB: t}
	for _, args := range [][]string{{}, {"lst"}, {"show"}, {"list", "--nonsense"}, {"replay", "--all", "--batch", "0"}} {
		w.dlq(args...).want(t, exitUsage, "dlq: ", "see dlq --help")
	}
	w.dlq("list", "--partitions", "0").want(t, exitUsage, "HOOKSTREAM_PARTITIONS is 0")
}
