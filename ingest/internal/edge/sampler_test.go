// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestAStormIsALineASecond: an outage and a flood of forged requests say the same
// in every line, so a few lines say it all.
func TestAStormIsALineASecond(t *testing.T) {
	now := noon
	w := newWorld(t, func(c *Config) { c.Now = func() time.Time { return now } })
	w.kept.err = errors.New("broker away")
	forged := func() *http.Request { return post("/webhooks/stripe", stripeBody) }
	signed := func() *http.Request {
		r := stripe(stripeBody)
		r.Header.Set("Stripe-Signature", stripeSignature(stripeSecret, stripeBody, now))
		return r
	}
	for range 3 {
		for range 50 {
			w.do(signed()).expect(t, http.StatusServiceUnavailable, "not-acknowledged")
			w.do(forged()).expect(t, http.StatusUnauthorized, "invalid-signature")
		}
		now = now.Add(sampleEvery)
	}
	counted := map[string]int{}
	lines := map[string]int{}
	for line := range bytes.Lines(w.log.Bytes()) {
		var got struct {
			Outcome string `json:"outcome"`
			Skipped int    `json:"like_it_since_the_last"`
		}
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatal(err)
		}
		lines[got.Outcome]++
		counted[got.Outcome] += 1 + got.Skipped
	}
	for _, outcome := range []string{"not_acknowledged", "missing_signature"} {
		// The last second's lines are counted by the line that comes next.
		if lines[outcome] != 3 || counted[outcome] != 101 {
			t.Errorf("%d lines about %d times %s, want 3 about 101", lines[outcome], counted[outcome], outcome)
		}
	}
}

// TestLogsQuoteNothing: what a sender wrote is data, and stays out of lines.
func TestLogsQuoteNothing(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{
		`{"id":"evt_1","type":"a","created":"my secret","data":{"object":{"id":"cus_1"}}}`,
		`{"id":"evt_1","type":"a","my secret":"my secret","my secret":1}`,
		`my secret`,
		`"my secret`,
	} {
		w.do(stripe(body)).expect(t, http.StatusAccepted, "")
		w.do(post("/webhooks/stripe", body)).expect(t, http.StatusUnauthorized, "")
		w.do(with(stripe(body), "Stripe-Signature", "my secret")).expect(t, http.StatusUnauthorized, "")
	}
	if strings.Contains(w.log.String(), "my secret") {
		t.Errorf("the log quotes a request: %s", w.log)
	}
}

// limiter is a Limiter that has had enough after some requests.
type limiter struct {
	left  int
	asked []string
	cost  int
}

func (l *limiter) Allow(tenant, provider string, cost int) (time.Duration, bool) {
	l.asked, l.cost = append(l.asked, tenant+"/"+provider), cost
	l.left--
	return 1500 * time.Millisecond, l.left >= 0
}

// TestLimiterComesFirst: a request over the rate is neither read nor verified,
// and only pairs that are configured are asked about.
func TestLimiterComesFirst(t *testing.T) {
	l := &limiter{left: 1}
	w := newWorld(t, func(c *Config) { c.Limiter = l })
	w.do(stripe(stripeBody)).expect(t, http.StatusAccepted, "")
	a := w.do(stripe(stripeBody))
	a.expect(t, http.StatusTooManyRequests, "rate-limited")
	if got := a.Header().Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After %q, want the wait in whole seconds", got)
	}
	w.do(post("/webhooks/nobody/stripe", "{}")).expect(t, http.StatusNotFound, "")
	w.do(post("/webhooks/svix", "{}")).expect(t, http.StatusNotFound, "")
	if got := strings.Join(l.asked, " "); got != "default/stripe default/stripe" || l.cost != 1 {
		t.Errorf("asked about %s, at a cost of %d", got, l.cost)
	}
}
