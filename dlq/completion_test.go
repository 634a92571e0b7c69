// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// completed is the last word of a line, completed.
var completed = map[string]string{
	"sta":                   "stats",
	"replay --patc":         "--patch",
	"list --status succ":    "succeeded",
	"list --reason x -o y":  "yaml",
	"show --redac":          "--redact",
	"discard --output js":   "json",
	"--brokers b list --cu": "--cursor",
}

// testCompletion types the lines into a shell where it is installed: complete is
// a program in its language that is given the script and the words.
func testCompletion(t *testing.T, shell, complete string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		t.Skip("needs " + shell)
	}
	w := newWorld(t)
	script := filepath.Join(t.TempDir(), "dlq."+shell)
	if err := os.WriteFile(script, []byte(w.dlq("completion", shell).want(t, exitOK).out), 0o600); err != nil {
		t.Fatal(err)
	}
	for typed, want := range completed {
		cmd := exec.CommandContext(t.Context(), path, append(args, "-c", complete)...)
		cmd.Args = append(cmd.Args, append([]string{script}, strings.Fields("dlq "+typed)...)...)
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%q completes to %q, want %q: %v", typed, got, want, err)
		}
	}
}

// TestCompletionInBash calls the function that the script defines.
func TestCompletionInBash(t *testing.T) {
	testCompletion(t, "bash", `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _dlq; echo "${COMPREPLY[*]}"`)
}

// TestCompletionInZsh calls it as bashcompinit does, which emulates another shell
// and filters what does not begin with the word.
func TestCompletionInZsh(t *testing.T) {
	testCompletion(t, "zsh", `autoload -U +X compinit && compinit -u -D; source "$0"
		typed() {
			emulate -L sh; setopt kshglob noshglob braceexpand nokshautoload
			local -a words COMP_WORDS COMPREPLY; words=("$@"); COMP_WORDS=("$@")
			local -x COMP_CWORD=$(($#-1))
			_dlq || return
			for word in "${COMPREPLY[@]}"; do
				[[ "$word" == "${COMP_WORDS[COMP_CWORD]}"* ]] && echo "$word"
			done
			return 0
		}
		typed "$@"`, "-f")
}

// TestCompletionInFish asks the shell itself.
func TestCompletionInFish(t *testing.T) {
	testCompletion(t, "fish", `source $argv[1]; complete -C "$argv[2..]" | cut -f1`, "--no-config")
}

func TestCompletionKnowsEveryCommand(t *testing.T) {
	w := newWorld(t)
	for _, shell := range []string{"bash", "zsh", "fish"} {
		w.dlq("completion", shell).want(t, exitOK, "stats", "replay", "patch", "failed-again")
	}
	w.dlq("completion", "tcsh").want(t, exitUsage, "must be one of")
}
