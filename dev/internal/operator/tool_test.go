// SPDX-License-Identifier: Apache-2.0

// Package operator holds what an operator lives through: the built tools, run as
// at a terminal, against everything that they are for.
package operator

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hookstream/hookstream/stage/kafka"
)

// tool is the dlq command, built, and the environment that it is configured by.
type tool struct {
	program string
	env     []string
}

// result of one run of a tool.
type result struct {
	code     int
	out, err string
}

// build compiles the dlq command; tags may be empty.
func build(t *testing.T, tags string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "dlq")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-tags", tags, "-o", program, "./cmd/dlq")
	cmd.Dir = "../../../dlq"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build dlq: %v\n%s", err, out)
	}
	return program
}

// environment names an installation for the tool.
func environment(cfg *kafka.Config, more ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
		"HOOKSTREAM_BROKERS=" + strings.Join(cfg.Brokers, ","),
		"HOOKSTREAM_TOPIC_RAW=" + cfg.Topics.Raw,
		"HOOKSTREAM_TOPIC_DLQ=" + cfg.Topics.DeadLetters,
		"HOOKSTREAM_TOPIC_RESOLUTIONS=" + cfg.Topics.Resolutions,
		"HOOKSTREAM_TOPIC_SINK_REPLAY=" + cfg.Topics.SinkReplay,
		"HOOKSTREAM_TOPIC_EVENTS_PREFIX=" + cfg.Topics.EventsPrefix,
	}, more...)
}

// run runs the tool and expects the exit code.
func (x *tool) run(t *testing.T, code int, args ...string) result {
	t.Helper()
	r := x.start(t, args...)
	if r.code != code {
		t.Fatalf("dlq %v: exit code %d, want %d\n%s%s", args, r.code, code, r.out, r.err)
	}
	return r
}

// start runs the tool with its output in pipes.
func (x *tool) start(t *testing.T, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), x.program, args...)
	cmd.Env = x.env
	var out, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("dlq %v: %v", args, err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), stderr.String()}
}

// terminal is how wide an operator's window is at three in the morning.
const terminal = 80

// read runs the tool for a person: what it prints must have the parts and fit the
// terminal, but for a record's own headers and payload, which are shown as they
// are.
func (x *tool) read(t *testing.T, code int, args []string, parts ...string) {
	t.Helper()
	r := x.run(t, code, args...)
	for _, part := range parts {
		if !strings.Contains(r.out, part) {
			t.Errorf("dlq %v does not say %q:\n%s", args, part, r.out)
		}
	}
	said, _, _ := strings.Cut(r.out, "\nHeaders\n")
	for line := range strings.Lines(said) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > terminal {
			t.Errorf("dlq %v: %d columns: %s", args, n, line)
		}
	}
}

// decode reads the JSON documents that the tool printed, in their order.
func decode(t *testing.T, r result, into ...any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(r.out))
	for _, v := range into {
		if err := d.Decode(v); err != nil {
			t.Fatalf("%v in:\n%s", err, r.out)
		}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("more than was expected in:\n%s", r.out)
	}
}
