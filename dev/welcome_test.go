// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/traces"
	"github.com/hookstream/hookstream/stage/kafka"
)

// TestWelcomeLeadsToThisStack: the tools' defaults are the usual ports, where another
// stack may be.
func TestWelcomeLeadsToThisStack(t *testing.T) {
	page, err := traces.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = page.Close() })
	s := &stack.Stack{
		Kafka: kafka.Config{Brokers: []string{"127.0.0.1:1", "127.0.0.1:2"}}, Registry: "http://127.0.0.1:3",
		Database: "postgres://u@/d?host=/it's&port=4",
	}
	c := &runCommand{}
	c.LogFile = "/a/file.log"
	welcome := c.welcome(s, page)
	mustContain(t, welcome, "logs       /a/file.log\n")
	var script strings.Builder
	for line := range strings.Lines(welcome) {
		if strings.HasPrefix(line, "  export ") {
			script.WriteString(line)
		}
	}
	script.WriteString(`echo "$HOOKSTREAM_BROKERS $HOOKSTREAM_REGISTRY_URL $HOOKSTREAM_DATABASE_URL $HOOKSTREAM_TRACE_URL"`)
	got, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", script.String()).Output()
	want := "127.0.0.1:1,127.0.0.1:2 http://127.0.0.1:3 postgres://u@/d?host=/it's&port=4 " + page.URL() + "/trace/{trace_id}\n"
	if err != nil || string(got) != want {
		t.Errorf("the shell has %q, %v; want %q", got, err, want)
	}
	s.Database = "postgres://u:hunter2@h/d"
	if got := c.welcome(s, nil); strings.Contains(got, "hunter2") || !strings.Contains(got, "postgres://u:xxxxx@h/d") {
		t.Errorf("the password is told: %s", got)
	}
	if got := c.welcome(s, nil); strings.Contains(got, "HOOKSTREAM_TRACE_URL") {
		t.Errorf("a page that is not there is told: %s", got)
	}
}
