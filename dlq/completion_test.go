// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCompletionInBash types into the function that the script defines.
func TestCompletionInBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("needs bash")
	}
	w := newWorld(t)
	script := filepath.Join(t.TempDir(), "dlq.bash")
	if err := os.WriteFile(script, []byte(w.dlq("completion", "bash").want(t, exitOK).out), 0o600); err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]string{
		"sta":                   "stats",
		"replay --patc":         "--patch",
		"list --status succ":    "succeeded",
		"list --reason x -o y":  "",
		"show --redac":          "--redact",
		"discard --output js":   "json",
		"--brokers b list --cu": "--cursor",
	} {
		words := strings.Fields("dlq " + typed)
		cmd := exec.CommandContext(t.Context(), bash, "-c",
			`source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _dlq; echo "${COMPREPLY[*]}"`, script)
		cmd.Args = append(cmd.Args, words...)
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%q completes to %q, want %q: %v", typed, got, want, err)
		}
	}
}

func TestCompletionKnowsEveryCommand(t *testing.T) {
	w := newWorld(t)
	for _, shell := range []string{"bash", "zsh", "fish"} {
		w.dlq("completion", shell).want(t, exitOK, "stats", "replay", "patch", "failed-again")
	}
	w.dlq("completion", "tcsh").want(t, exitUsage, "must be one of")
}
