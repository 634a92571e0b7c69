// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
)

// TestSilentOwnerDoesNotKeepItsOffsets: a host without power does not close its
// connection, and the server ends its transaction all the same.
func TestSilentOwnerDoesNotKeepItsOffsets(t *testing.T) {
	w := newWorld(t)
	batches := w.batches(t, w.records(t, newEvent("customer", "a", "e1", 1, nil)))
	conn, err := pgx.ConnectConfig(t.Context(), w.pool.Config().ConnConfig)
	must(t, err)
	defer conn.Close(t.Context())
	setting := func() (s string) {
		must(t, conn.QueryRow(t.Context(), "show idle_in_transaction_session_timeout").Scan(&s))
		return s
	}
	must(t, (&batch{store: w.store}).begin(t.Context(), conn, batches))
	if s := setting(); s != idleTimeout.String() {
		t.Errorf("a transaction waits for its next statement for %s, want %s", s, idleTimeout)
	}
	rollback(t.Context(), conn)
	if s := setting(); s != "0" {
		t.Errorf("the session keeps %s, which a pooler gives to others", s)
	}

	silent, err := New(w.store.cfg)
	must(t, err)
	silent.begin = beginSQL(&silent.cfg, 300*time.Millisecond)
	must(t, (&batch{store: silent}).begin(t.Context(), conn, batches))
	p := batches[0].Partition
	claims, err := w.store.TakeOver(t.Context(), []kafka.Partition{p})
	must(t, err)
	if want := (fenced.Claim{Epoch: batches[0].Claim.Epoch + 1, Next: fenced.NeverRead}); claims[p] != want {
		t.Errorf("the claim is %v, want %v", claims[p], want)
	}
	// The server says 25P03 and closes the connection; which of them the client
	// sees first is a race.
	if _, err := conn.Exec(t.Context(), "commit"); err == nil {
		t.Error("the silent one commits")
	}
	now, err := w.store.Claims(t.Context(), []kafka.Partition{p})
	must(t, err)
	if now[p] != claims[p] {
		t.Errorf("the silent one made the claim %v of %v", now[p], claims[p])
	}
}
