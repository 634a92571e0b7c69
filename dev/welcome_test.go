// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/traces"
	"github.com/hookstream/hookstream/stage/kafka"
)

// TestATakenPortFallsBackToItsHost and to no other: what is only for this machine
// must not be open to all because of a typing error.
func TestATakenPortFallsBackToItsHost(t *testing.T) {
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if got, err := freeUnlessTaken("--address", ln.Addr().String()); err != nil || got != "127.0.0.1:0" {
		t.Errorf("taken: %q, %v", got, err)
	}
	for _, wrong := range []string{"", "nonsense", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999"} {
		if got, err := freeUnlessTaken("--address", wrong); err == nil || !strings.Contains(err.Error(), "--address") {
			t.Errorf("%q: %q, %v", wrong, got, err)
		}
	}
}

func TestTakenPortsAreTold(t *testing.T) {
	for _, c := range [][3]string{
		{"127.0.0.1:8080", "127.0.0.1:8080", ""}, {"127.0.0.1:8080", "127.0.0.1:41234", "  (8080 is taken)"},
		{"127.0.0.1:0", "127.0.0.1:41234", ""}, {":9092", "127.0.0.1:41234", "  (9092 is taken)"}, {"[::1]:80", "[::1]:8080", "  (80 is taken)"},
	} {
		if got := taken(c[0], c[1]); got != c[2] {
			t.Errorf("wanted %s, got %s: %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

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
