// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
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

func TestUsageErrors(t *testing.T) {
	w := &world{TB: t}
	for _, args := range [][]string{{}, {"lst"}, {"show"}, {"list", "--nonsense"}, {"replay", "--all", "--batch", "0"}} {
		w.dlq(args...).want(t, exitUsage, "dlq: ", "see dlq --help")
	}
	w.dlq("list", "--partitions", "0").want(t, exitUsage, "HOOKSTREAM_PARTITIONS is 0")
}
