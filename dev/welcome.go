// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/traces"
	"github.com/hookstream/hookstream/dev/internal/workload"
)

// apiToken is that of the API's caller, which is on this machine and for trying out.
const apiToken = "demo-only-operator"

// welcome says where everything is, with lines that work when they are pasted.
func (c *runCommand) welcome(s *stack.Stack, page *traces.Server) string {
	return fmt.Sprintf(`
Hookstream runs in this process. Ctrl-C drains and stops it.

  webhooks   http://%s/webhooks/{provider}%s
  kafka      %s%s
  registry   %s
  postgres   %s
  traces     %s
  metrics    %s/metrics
  health     %s
  logs       %s

Send a webhook of your own, signed as GitHub signs:

%s

In another terminal, so that the tools ask this stack:

%s
What became of it; its row; what failed, and why; how far the sink is:

  go run ./dlq/cmd/hookstream trace my-first/1
  psql "$HOOKSTREAM_DATABASE_URL" \
    -c "SELECT id, title, state, labels FROM %s.issue WHERE title LIKE 'Hello%%'"
  go run ./dlq/cmd/dlq list
  go run ./sink/cmd/sink status
%s
`, s.Address(), taken(c.Address, s.Address()), brokers(s), c.kafkaTaken(s), s.Registry, redacted(s.Database), tracesLine(page), s.AdminURL("ingest"), healthLine(s), c.LogFile,
		ownWebhook(s.Address()), exports(s, page), s.TablesSchema, apiLine(s))
}

// taken says that another port had to do, as for what is written down elsewhere.
func taken(wanted, got string) string {
	_, port, _ := net.SplitHostPort(wanted)
	if port == "" || port == "0" || strings.HasSuffix(got, ":"+port) {
		return ""
	}
	return "  (" + port + " is taken)"
}

func (c *runCommand) kafkaTaken(s *stack.Stack) string {
	if len(c.Brokers) > 0 {
		return ""
	}
	return taken(net.JoinHostPort("", strconv.Itoa(c.KafkaPort)), brokers(s))
}

func brokers(s *stack.Stack) string { return strings.Join(s.Kafka.Brokers, ",") }

// exports is what the tools need to know. Without it they ask whatever is at the
// usual ports, which may be another stack.
func exports(s *stack.Stack, page *traces.Server) string {
	variables := [][2]string{
		{"HOOKSTREAM_BROKERS", brokers(s)},
		{"HOOKSTREAM_REGISTRY_URL", s.Registry},
		{"HOOKSTREAM_DATABASE_URL", redacted(s.Database)},
		{"HOOKSTREAM_SINK_INSTANCES", strings.TrimPrefix(s.AdminURL("sink"), "http://")},
	}
	if page != nil { // elsewhere traces may be in anything
		variables = append(variables, [2]string{"HOOKSTREAM_TRACE_URL", page.TraceURL("{trace_id}")})
	}
	var b strings.Builder
	for _, v := range variables {
		fmt.Fprintf(&b, "  export %s=%s\n", v[0], quoted(v[1]))
	}
	return b.String()
}

// redacted is a URL without its password, which whoever gave it knows.
func redacted(address string) string {
	if u, err := url.Parse(address); err == nil && u.User != nil {
		return u.Redacted()
	}
	return address
}

// quoted is a word for a POSIX shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// tracesLine says where traces are to be seen.
func tracesLine(page *traces.Server) string {
	switch {
	case page != nil:
		return page.URL()
	case tracesGoElsewhere():
		return "where OTEL_* sends them"
	}
	return "none"
}

// apiLine asks the API for the same as dlq list.
func apiLine(s *stack.Stack) string {
	if s.APIAddress() == "" {
		return ""
	}
	return fmt.Sprintf("  curl -H 'Authorization: Bearer %s' \\\n    http://%s/v1/dead-letters\n", apiToken, s.APIAddress())
}

// services in the order of the flow, and dlq where it runs.
func services(s *stack.Stack) []string {
	names := []string{"ingest", "transform", "sink"}
	if s.APIAddress() != "" {
		names = append(names, "dlq")
	}
	return names
}

// healthLine has the services' readiness; /livez is beside it.
func healthLine(s *stack.Stack) string {
	var urls []string
	for _, name := range services(s) {
		urls = append(urls, s.AdminURL(name)+"/readyz ("+name+")")
	}
	return strings.Join(urls, "\n             ")
}

// ownWebhook is a curl line with a webhook and its signature.
func ownWebhook(address string) string {
	const body = `{"action":"opened","issue":{"id":1,"number":1,"title":"Hello, Hookstream","state":"open","labels":[{"name":"first"}],"updated_at":"2026-01-01T12:00:00Z"},"repository":{"id":42,"full_name":"me/first"}}`
	mac := hmac.New(sha256.New, []byte(workload.Secrets["github"]))
	mac.Write([]byte(body))
	return fmt.Sprintf(`  curl -i http://%s/webhooks/github -H 'Content-Type: application/json' \
    -H 'X-GitHub-Event: issues' -H 'X-GitHub-Delivery: my-first' -H 'X-GitHub-Hook-ID: 1' \
    -H 'X-Hub-Signature-256: sha256=%s' \
    -d '%s'`, address, hex.EncodeToString(mac.Sum(nil)), body)
}

// freeUnlessTaken is address, or its host with a free port where it is taken.
func freeUnlessTaken(flag, address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "" {
		return "", fmt.Errorf("%s %q: want HOST:PORT", flag, address)
	}
	ln, err := net.Listen("tcp", address) //nolint:noctx // closed at once
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return net.JoinHostPort(host, "0"), nil
	case err != nil:
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	return address, ln.Close()
}
