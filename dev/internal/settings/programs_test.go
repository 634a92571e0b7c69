// SPDX-License-Identifier: Apache-2.0

// Package settings tries what the programs say of wrong settings, and that they
// say no secret.
package settings

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/hookstream/hookstream/dlq"
	"github.com/hookstream/hookstream/ingest"
	"github.com/hookstream/hookstream/sink"
	"github.com/hookstream/hookstream/transform"
)

// program is a command line whose settings are tried.
type program struct {
	name string
	args []string
	// env makes it valid.
	env map[string]string
	// cfg is the struct that its settings are in; nil where only the program
	// itself has it.
	cfg any
}

// programs are all that have settings. They are valid with what env says, so that
// nothing else is warned of.
var programs = []program{
	{"ingest", nil, map[string]string{"HOOKSTREAM_SECRETS": "default/github=valid", "HOOKSTREAM_ADDRESS": "127.0.0.1:0", "HOOKSTREAM_ADMIN_ADDRESS": "127.0.0.1:0"}, &ingest.Config{}},
	{"transform", nil, map[string]string{"HOOKSTREAM_ADMIN_ADDRESS": "127.0.0.1:0"}, &transform.Config{}},
	{"sink", nil, map[string]string{"HOOKSTREAM_ADMIN_ADDRESS": "127.0.0.1:0", "HOOKSTREAM_DATABASE_URL": "postgres://127.0.0.1:1/none"}, &sink.Config{}},
	{"sink", []string{"status"}, map[string]string{"HOOKSTREAM_DATABASE_URL": "postgres://127.0.0.1:1/none"}, nil},
	{"sink", []string{"ddl", "--diff"}, map[string]string{"HOOKSTREAM_DATABASE_URL": "postgres://127.0.0.1:1/none"}, nil},
	{"dlq", []string{"serve"}, map[string]string{"HOOKSTREAM_DLQ_ADDRESS": "127.0.0.1:0", "HOOKSTREAM_ADMIN_ADDRESS": "127.0.0.1:0", "HOOKSTREAM_DLQ_TOKENS_FILE": "{tokens}"}, &dlq.ServiceConfig{}},
	{"dlq", []string{"stats"}, nil, nil},
	{"hookstream", []string{"trace", "id"}, nil, &dlq.TraceConfig{}},
	{"schemas", []string{"check"}, nil, nil},
}

func (p *program) String() string { return strings.Join(append([]string{p.name}, p.args...), " ") }

var variable = regexp.MustCompile(`\$\s*(HOOKSTREAM_[A-Z_]+)`)

// settings are the variables that the program reads: those of its struct, and
// those that its help names.
func (p *program) settings(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	if p.cfg != nil {
		app, err := kong.New(p.cfg, kong.Vars{"admin_address": "", "registry_url": "", "version": "", "by": ""})
		if err != nil {
			t.Fatal(err)
		}
		collect(app.Model.Node, &all)
	}
	help, err := exec.CommandContext(t.Context(), filepath.Join(dir, p.name), append(slices.Clone(p.args), "--help")...).Output()
	if err != nil {
		t.Fatalf("%s --help: %v", p, err)
	}
	for _, m := range variable.FindAllStringSubmatch(string(help), -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func collect(n *kong.Node, into *[]string) {
	for _, f := range n.Flags {
		*into = append(*into, f.Envs...)
	}
	for _, child := range n.Children {
		collect(child, into)
	}
}

// build compiles the programs once for all tests.
func build(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("TEST_PROGRAMS"); dir != "" {
		return dir
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", dir,
		"./ingest/cmd/ingest", "./transform/cmd/transform", "./sink/cmd/sink", "./dlq/cmd/dlq", "./dlq/cmd/hookstream", "./schemas/cmd/schemas")
	cmd.Dir = "../../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return dir
}

// outcome is how a program ended.
type outcome struct {
	code        int
	out, stderr string
	// ended is false where it would have gone on.
	ended bool
}

// run runs the program with these variables and no others for at most patience.
func (p *program) run(t *testing.T, dir string, env map[string]string, patience time.Duration) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(dir, p.name), p.args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), stderr.String(), ctx.Err() == nil}
}
