// SPDX-License-Identifier: Apache-2.0

package transform_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/runtest"
	"github.com/hookstream/hookstream/transform"
)

// TestARestoreIsTold: while the deduplication set is read back, which may take
// minutes, /readyz says that, and not only that something waits.
func TestARestoreIsTold(t *testing.T) {
	t.Parallel()
	e := newEnv(t, 1)
	open := e.openTransaction(t)
	cfg := e.config(t, "a")
	cfg.AdminAddress = "127.0.0.1:0"
	s, err := transform.New(cfg, runtest.Logger())
	if err != nil {
		t.Fatal(err)
	}
	runService(t, s)
	runtest.Eventually(t, "the restore in /readyz", func() bool {
		code, text := readiness(t, s)
		return code == http.StatusServiceUnavailable && strings.Contains(text, "restoring 1 partitions")
	})
	if err := open.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	runtest.Eventually(t, "readiness", func() bool { return readyz(t, s) == http.StatusOK })
}

// openTransaction leaves a transaction on the changelog open, which every restore
// waits for.
func (e *env) openTransaction(t *testing.T) *kgo.Client {
	t.Helper()
	client, err := e.kafka.NewClient("open", runtest.Logger(), kgo.TransactionalID(e.group+"-open"), kgo.TransactionTimeout(5*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	entries := []record.DedupEntry{{Fingerprint: identity.Fingerprint{1}, Mark: identity.Mark{1}}}
	r := record.DedupRecord(e.kafka.Topics.Dedup, e.kafka.Topics.Raw, 0, time.Now(), entries)
	if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return client
}
