// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"os"

	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/traces"
	"github.com/hookstream/hookstream/stage/tracing"
)

// tracesPage starts the page of traces and has this process export to it, every
// trace and at once: here a person waits for theirs. It gives nil where none is
// asked for, or where the environment sends traces elsewhere.
func (c *runCommand) tracesPage(ctx context.Context) (*traces.Server, error) {
	if c.Traces == "" || tracesGoElsewhere() {
		return nil, nil
	}
	address, err := freeUnlessTaken("--traces", c.Traces)
	if err != nil {
		return nil, err
	}
	page, err := traces.Listen(ctx, address)
	if err != nil {
		return nil, err
	}
	page.SampleTraffic(sampleMark)
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": page.Endpoint(),
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
		"OTEL_BSP_SCHEDULE_DELAY":            "500", // milliseconds
		"OTEL_TRACES_SAMPLER":                "always_on",
	} {
		if os.Getenv(name) != "" {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	tracing.ShowTenants(true) // nobody else reads this page
	return page, nil
}

// tracesGoElsewhere tells that the environment says where to.
func tracesGoElsewhere() bool {
	return cmp.Or(os.Getenv("OTEL_TRACES_EXPORTER"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")) != ""
}

func closePage(page *traces.Server) {
	if page != nil {
		_ = page.Close() // the process ends; nobody is left to tell
	}
}

// adminAddresses are the services' own ports, on this machine only.
func adminAddresses() (map[string]string, error) {
	addresses := map[string]string{"ingest": "127.0.0.1:8081", "transform": "127.0.0.1:8082", "sink": "127.0.0.1:8083", "dlq": "127.0.0.1:8084"}
	for name, usual := range addresses {
		address, err := freeUnlessTaken(name, usual)
		if err != nil {
			return nil, err
		}
		addresses[name] = address
	}
	return addresses, nil
}

// pointers are what the page of traces leads to.
func pointers(s *stack.Stack) []traces.Pointer {
	out := []traces.Pointer{{Name: "metrics", URL: s.AdminURL("ingest") + "/metrics"}}
	for _, name := range services(s) {
		out = append(out, traces.Pointer{Name: name + " health", URL: s.AdminURL(name) + "/readyz"})
	}
	return out
}

// tools are the commands that the page of traces names, which ask this stack.
func tools(s *stack.Stack) traces.Tools {
	flags := " --brokers " + brokers(s)
	return traces.Tools{DeadLetter: "go run ./dlq/cmd/dlq show" + flags, Journey: "go run ./dlq/cmd/hookstream trace" + flags}
}
