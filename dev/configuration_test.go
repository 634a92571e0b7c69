// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/hookstream/hookstream/dlq"
	"github.com/hookstream/hookstream/ingest"
	"github.com/hookstream/hookstream/schemas/golden"
	"github.com/hookstream/hookstream/sink"
	"github.com/hookstream/hookstream/stage/service"
	"github.com/hookstream/hookstream/transform"
)

const configurationFile = "../docs/configuration.md"

// TestConfigurationIsDocumented holds docs/configuration.md to the structs that
// it is generated from.
func TestConfigurationIsDocumented(t *testing.T) {
	want := configuration(t)
	golden.Check(t, configurationFile, []byte(want))
}

func configuration(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# Configuration

Generated from the services' configuration structs; do not edit. Every variable is
also a flag: ` + "`<service> run --help`" + ` shows it, and of dlq ` + "`dlq serve --help`" + `. Flags
win over variables. Its other commands read the variables of Kafka and the database too.

OpenTelemetry's own variables apply too: ` + "`OTEL_EXPORTER_OTLP_ENDPOINT`" + ` turns the
export of traces on, ` + "`OTEL_TRACES_SAMPLER`" + ` samples them, 1 % by default
([tracing.md](tracing.md)).
`)
	seen := map[string]bool{}
	services := []struct {
		info service.Info
		cfg  service.Configured
	}{
		{ingest.Info, &ingest.Config{}}, {transform.Info, &transform.Config{}}, {sink.Info, &sink.Config{}}, {dlq.Info, &dlq.ServiceConfig{}},
	}
	common := map[string]int{}
	for _, s := range services {
		for _, f := range flags(t, s.info, s.cfg) {
			common[f.Envs[0]]++
		}
	}
	table := func(title string, info service.Info, cfg service.Configured, keep func(*kong.Flag) bool) {
		fmt.Fprintf(&b, "\n## %s\n\n| variable | default | |\n|---|---|---|\n", title)
		for _, f := range flags(t, info, cfg) {
			if keep(f) && !seen[title+f.Envs[0]] {
				seen[title+f.Envs[0]] = true
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Envs[0], code(f.Default), strings.ReplaceAll(f.Help, "|", "\\|"))
			}
		}
	}
	perService := func(f *kong.Flag) bool {
		return common[f.Envs[0]] < len(services) || f.Envs[0] == "HOOKSTREAM_ADMIN_ADDRESS"
	}
	table("All services", ingest.Info, &ingest.Config{}, func(f *kong.Flag) bool { return !perService(f) })
	for _, s := range services {
		table(s.info.Name, s.info, s.cfg, perService)
	}
	return b.String()
}

func flags(t *testing.T, info service.Info, cfg service.Configured) []*kong.Flag {
	t.Helper()
	app, err := kong.New(cfg, kong.Vars{"admin_address": info.AdminAddress})
	if err != nil {
		t.Fatal(err)
	}
	var out []*kong.Flag
	for _, f := range app.Model.Flags {
		if len(f.Envs) > 0 {
			out = append(out, f)
		}
	}
	return out
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}
