// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/schemas/fixture"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// noDefinition counts the samples of providers that have none.
const noDefinition = "no definition"

// TestRealSamples maps bodies that are not part of this repository, the files
// of $HOOKSTREAM_PROVIDER_DATA/payloads/<provider>/. Each must become an event
// or a dead letter with a reason; that a mapping fails is our fault.
func TestRealSamples(t *testing.T) {
	dir := os.Getenv("HOOKSTREAM_PROVIDER_DATA")
	if dir == "" {
		t.Skip("HOOKSTREAM_PROVIDER_DATA is not set")
	}
	files, err := filepath.Glob(filepath.Join(dir, "payloads", "*", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	defs := catalog(t)
	counts := map[string]map[string]int{}
	for _, file := range files {
		folder := filepath.Base(filepath.Dir(file))
		if counts[folder] == nil {
			counts[folder] = map[string]int{}
		}
		for _, outcome := range outcomes(t, defs[definitionOf(folder)], file) {
			counts[folder][outcome]++
		}
	}
	logCounts(t, counts)
}

// outcomes are what comes of one request: an entity or a reason for each record.
func outcomes(t *testing.T, def *provider.Definition, file string) []string {
	t.Helper()
	if def == nil {
		return []string{noDefinition}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i, item := range items(t, def, file, text) {
		w, err := sample(def, file, item)
		if err != nil { // the edge keeps what it cannot identify for a dead letter
			t.Logf("%s item %d: %v", filepath.Base(file), i, err)
			out = append(out, "dead letter: "+string(reason.MalformedBody))
			continue
		}
		ev, err := compiled(t, def).Map(t.Context(), w)
		var failure *Error
		switch {
		case err == nil && ev == nil:
			out = append(out, "dropped")
		case err == nil:
			checkMeta(t, ev, w, def)
			checkEncodes(t, ev)
			out = append(out, ev.Entity)
		case errors.As(err, &failure) && failure.Reason != reason.MappingFailed:
			out = append(out, "dead letter: "+string(failure.Reason))
		default:
			t.Errorf("%s item %d: %s: %v", file, i, w.EventType, err)
		}
	}
	return out
}

// items splits a batch as the edge does.
func items(t *testing.T, def *provider.Definition, file string, text []byte) (all [][]byte) {
	t.Helper()
	if isForm(file) {
		return [][]byte{text}
	}
	split, err := def.Body.Split(text)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for i := range split {
		all = append(all, split[i].Body)
	}
	return all
}

func isForm(file string) bool { return filepath.Ext(file) == ".form" }

// sample is a stored webhook with a sample's body.
func sample(def *provider.Definition, file string, text []byte) (*record.Webhook, error) {
	f := fixture.Fixture{Provider: def.Provider, File: file, Body: string(text), Headers: headersOf(def, file, text)}
	w, err := f.Webhook(def)
	if err != nil {
		return nil, err
	}
	switch {
	case w.EventID == "":
		w.Defect = reason.MissingIdentity
	case w.BusinessKey == "":
		w.BusinessKey, w.Defect = w.EventID, reason.MissingKey
	}
	return w, nil
}

// headersOf stands in for the headers, which the samples lack: the type where
// the provider has it in a header, and an id where the id is made of headers.
func headersOf(def *provider.Definition, file string, text []byte) map[string]string {
	headers := map[string]string{}
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	for _, alternative := range def.Identity.ID {
		for _, ref := range alternative.From.Refs() {
			if ref.Kind == provider.RefHeader {
				headers[ref.Name] = name
			}
		}
	}
	name = name[:strings.LastIndex(name, "-")] // without the number of the sample
	headers["Content-Type"] = "application/json"
	if isForm(file) {
		headers["Content-Type"] = "application/x-www-form-urlencoded"
	}
	switch def.Provider {
	case "github":
		headers["X-GitHub-Event"], _, _ = strings.Cut(name, ".")
	case "gitea":
		headers["X-Gitea-Event"] = strings.ReplaceAll(strings.TrimSuffix(name, "-event"), "-", "_")
	case "bitbucket":
		headers["X-Event-Key"] = bitbucketEvents[name]
	case "bitbucket-server":
		var event struct {
			Key string `json:"eventKey"`
		}
		if json.Unmarshal(text, &event) == nil {
			headers["X-Event-Key"] = event.Key
		}
	}
	return headers
}

// bitbucketEvents are the values of X-Event-Key behind the samples' names.
var bitbucketEvents = map[string]string{
	"commit-comment-created":        "repo:commit_comment_created",
	"issue-created":                 "issue:created",
	"pull-request-approval-removed": "pullrequest:unapproved",
	"pull-request-comment-created":  "pullrequest:comment_created",
	"repo-commit-status-created":    "repo:commit_status_created",
	"repo-commit-status-updated":    "repo:commit_status_updated",
	"repo-fork":                     "repo:fork",
	"repo-push":                     "repo:push",
	"repo-updated":                  "repo:updated",
}

func definitionOf(folder string) string {
	if folder == "paddlebilling" {
		return "paddle"
	}
	return folder
}

func logCounts(t *testing.T, counts map[string]map[string]int) {
	t.Helper()
	total := map[string]int{}
	for _, folder := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%-20s %s", folder, line(counts[folder]))
		for outcome, n := range counts[folder] {
			total[outcome] += n
		}
	}
	t.Logf("%-20s %s", "all", line(total))
}

func line(counts map[string]int) string {
	var parts []string
	for _, outcome := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[outcome], outcome))
	}
	return strings.Join(parts, ", ")
}
