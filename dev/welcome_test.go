// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/traces"
)

// TestWelcomeLeadsToThePageOfTraces: without the flag `hookstream trace --open`
// opens a Jaeger, which does not run here.
func TestWelcomeLeadsToThePageOfTraces(t *testing.T) {
	page, err := traces.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = page.Close() })
	c := &runCommand{}
	want := "trace my-first/1 --brokers  --database-url '' --trace-url '" + page.URL() + "/trace/{trace_id}'\n"
	if got := c.welcome(&stack.Stack{}, page); !strings.Contains(got, want) {
		t.Errorf("%q is not in %s", want, got)
	}
	if got := c.welcome(&stack.Stack{}, nil); strings.Contains(got, "--trace-url") {
		t.Errorf("a page that is not there is told: %s", got)
	}
}
