// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dlq"
	"github.com/hookstream/hookstream/schemas/setting"
	"github.com/hookstream/hookstream/stage/runtest"
)

// TestOutcomesOverHTTP asks the API what became of two replays, one of what still
// fails and one of what was mended, with the sink's ledger behind it.
func TestOutcomesOverHTTP(t *testing.T) {
	s := start(t, "")
	accepted(t, s)
	c := serveAPI(t, s, s.Database)
	c.eventually("the dead letter", "/v1/dead-letters?event_id="+storyEvent, `"reason":"mapping_failed"`)

	c.replay("as-it-is", "")
	c.eventually("the second failure", "/v1/replays/as-it-is/outcomes", `"failed-again":1`)
	c.replay("mended", ".data.object.amount = 4200")
	c.eventually("the success", "/v1/replays/mended/outcomes", `"succeeded":1`)
	if body := c.get("/v1/dead-letters?status=open", http.StatusOK); !strings.Contains(body, `"items":[]`) {
		t.Errorf("some are open still: %s", body)
	}

	// A database that is away is said, never guessed around. What does not need
	// it is answered.
	c = serveAPI(t, s, "postgres://"+nobody(t)+"/hookstream")
	if body := c.get("/v1/replays/mended/outcomes", http.StatusServiceUnavailable); !strings.Contains(body, "HOOKSTREAM_DATABASE_URL") {
		t.Errorf("it is not said what is away: %s", body)
	}
	c.get("/v1/stats", http.StatusOK)
}

// caller calls the API of dead letters with every scope.
type caller struct {
	testing.TB
	base string
}

const callersToken = "not-a-secret"

// serveAPI starts the service mode over an installation.
func serveAPI(t *testing.T, s *stack.Stack, database string) *caller {
	t.Helper()
	var cfg dlq.ServiceConfig
	if err := dlq.Info.Defaults(&cfg); err != nil {
		t.Fatal(err)
	}
	tokens := filepath.Join(t.TempDir(), "tokens")
	line := fmt.Sprintf("mira %x read,simulate,replay,discard\n", sha256.Sum256([]byte(callersToken)))
	if err := os.WriteFile(tokens, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.AdminAddress, cfg.API.Address, cfg.API.TokensFile = "127.0.0.1:0", "127.0.0.1:0", tokens
	cfg.Kafka, cfg.Database = s.Kafka, setting.Secret(database)
	svc, err := dlq.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- svc.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return &caller{t, "http://" + svc.Address()}
}

// replay replays what is open under a name, and waits for its end.
func (c *caller) replay(id, patch string) {
	c.Helper()
	body, err := json.Marshal(map[string]any{"all": true, "at_most": 1, "replay_id": id, "patch": patch})
	if err != nil {
		c.Fatal(err)
	}
	c.call(http.MethodPost, "/v1/replays", body, http.StatusAccepted)
	c.eventually("the end of "+id, "/v1/operations/"+id, `"state":"done"`)
}

func (c *caller) get(path string, status int) string {
	c.Helper()
	return c.call(http.MethodGet, path, nil, status)
}

func (c *caller) call(method, path string, body []byte, status int) string {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), method, c.base+path, bytes.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+callersToken)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		c.Fatalf("%s %s: %s, want %d: %s, %v", method, path, res.Status, status, answer, err)
	}
	return string(answer)
}

// eventually asks until the answer has a part.
func (c *caller) eventually(what, path, part string) {
	c.Helper()
	runtest.Eventually(c.TB, what, func() bool { return strings.Contains(c.get(path, http.StatusOK), part) })
}

// nobody is an address that nobody listens at.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
