// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// How many wrong tokens an address may send.
const (
	wrongTokens      = 10 // at once
	wrongTokensEvery = 6 * time.Second
	// addressesCounted bounds the table, to some 300 KB. When it is full, those whose
	// count has run down go, and else all: then some begin anew.
	addressesCounted = 4096
)

// throttle counts wrong tokens by the address that they come from. Its zero value
// has counted none.
type throttle struct {
	mu sync.Mutex
	// until is when an address has run down to none: each wrong token puts it off.
	until map[netip.Addr]time.Time
}

// wrong counts a wrong token. It gives how long the address is to wait before the
// next, 0 where it need not.
func (t *throttle) wrong(remote string, now time.Time) time.Duration {
	from := addressOf(remote)
	t.mu.Lock()
	defer t.mu.Unlock()
	until := t.until[from]
	if until.Before(now) {
		until = now
	}
	if wait := until.Sub(now) - (wrongTokens-1)*wrongTokensEvery; wait > 0 {
		return wait
	}
	t.makeRoom(from, now)
	t.until[from] = until.Add(wrongTokensEvery)
	return 0
}

func (t *throttle) makeRoom(from netip.Addr, now time.Time) {
	if t.until == nil {
		t.until = map[netip.Addr]time.Time{}
	}
	if _, known := t.until[from]; known || len(t.until) < addressesCounted {
		return
	}
	for other, until := range t.until {
		if until.Before(now) {
			delete(t.until, other)
		}
	}
	if len(t.until) >= addressesCounted {
		clear(t.until)
	}
}

// addressOf is what a sender is counted by: its address, or in IPv6 its network of
// 64 bits, of which it has all.
func addressOf(remote string) netip.Addr {
	parsed, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{} // all that have none are one
	}
	addr := parsed.Addr().Unmap().WithZone("")
	if addr.Is6() {
		if network, err := addr.Prefix(64); err == nil {
			return network.Addr()
		}
	}
	return addr
}

// throttled is how a wrong token is answered where there were too many.
func (h *handler) throttled(r *http.Request) (time.Duration, bool) {
	wait := h.throttle.wrong(r.RemoteAddr, h.runner.now())
	return wait, wait > 0
}
