// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestWrongTokensAreThrottled(t *testing.T) {
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	f := &fake{}
	_, url := api(t, f, func(h *handler) { h.runner.now = func() time.Time { return now } })
	try := func(token string) (reply, string) { return send(t, token, "GET", url+"/v1/dead-letters", "") }
	for range wrongTokens {
		if res, _ := try("secret-guess"); res.StatusCode != http.StatusUnauthorized {
			t.Fatalf("got %s", res.Status)
		}
	}
	res, text := try("secret-guess")
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") != strconv.Itoa(int(wrongTokensEvery.Seconds())) || !strings.Contains(text, "too-many-attempts") {
		t.Errorf("got %s, %v, %s", res.Status, res.Header, text)
	}
	if res, _ := try(""); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %s", res.Status)
	}
	if res, _ := try("read"); res.StatusCode != http.StatusOK {
		t.Errorf("a right token of the same address: %s", res.Status)
	}
	now = now.Add(wrongTokensEvery)
	if res, _ := try("secret-guess"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the wait: %s", res.Status)
	}
	if res, _ := try("secret-guess"); res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("one more: %s", res.Status)
	}
	lines := f.logs.lines("refused")
	if len(lines) == 0 || len(lines) > 3 || strings.Contains(f.logs.String(), "guess") {
		t.Errorf("the log has %d lines: %s", len(lines), f.logs.String())
	}
}

func TestThrottleIsBounded(t *testing.T) {
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	var h throttle
	for n := range 3 * addressesCounted {
		if wait := h.wrong(fmt.Sprintf("10.%d.%d.%d:1", n>>16, n>>8&255, n&255), now); wait > 0 {
			t.Fatalf("the first of an address waits %s", wait)
		}
	}
	if len(h.until) > addressesCounted {
		t.Errorf("%d addresses are counted", len(h.until))
	}
	for range wrongTokens {
		h.wrong("[2001:db8::1]:1", now)
	}
	if h.wrong("[2001:db8::ffff]:2", now) == 0 || h.wrong("[2001:db8:0:1::1]:1", now) != 0 {
		t.Error("a network of 64 bits is not counted as one sender")
	}
}
