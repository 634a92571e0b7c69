// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hookstream/hookstream/dev/internal/workload"
)

// bodyBytes is the size of a webhook's body.
const bodyBytes = 2 << 10

// signed are n requests as Stripe sends them, ready to be written: a body of
// 2 KB of one of n payment intents, signed now. A signature is good for five
// minutes.
func signed(ctx context.Context, host string, n int) ([][]byte, error) {
	now := time.Now()
	requests := make([][]byte, n)
	for i := range requests {
		e := &workload.Event{Provider: "stripe", Body: paymentIntent(i, now), Header: http.Header{}}
		req, err := e.Request(ctx, "http://"+host, now)
		if err != nil {
			return nil, err
		}
		req.Header.Set("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
		req.Header.Set("Accept", "*/*; q=0.5, application/xml")
		var b bytes.Buffer
		if err := req.Write(&b); err != nil {
			return nil, err
		}
		requests[i] = b.Bytes()
	}
	return requests, nil
}

// paymentIntent is an event with the fields that Stripe's have, and metadata
// that fills it up.
func paymentIntent(n int, at time.Time) []byte {
	body := fmt.Sprintf(`{
  "id": "evt_bench%07d", "object": "event", "api_version": "2025-03-31.basil", "created": %d,
  "data": {"object": {
    "id": "pi_bench%07d", "object": "payment_intent", "amount": 1099, "amount_capturable": 0, "amount_received": 1099,
    "automatic_payment_methods": {"allow_redirects": "always", "enabled": true}, "canceled_at": null, "capture_method": "automatic_async",
    "client_secret": null, "confirmation_method": "automatic", "created": %d, "currency": "eur", "customer": "cus_bench%07d",
    "description": "Ünïcode in a description", "last_payment_error": null, "latest_charge": "ch_bench%07d", "livemode": false,
    "payment_method_options": {"card": {"installments": null, "network": null, "request_three_d_secure": "automatic"}},
    "payment_method_types": ["card", "link", "sepa_debit"], "receipt_email": null, "shipping": null, "status": "succeeded",
    "metadata": {`, n, at.Unix(), n, at.Unix(), n, n)
	const end = `"end": ""}
  }},
  "livemode": false, "pending_webhooks": 1, "request": {"id": "req_bench", "idempotency_key": null}, "type": "payment_intent.succeeded"
}`
	var b strings.Builder
	b.WriteString(body)
	for i := 0; b.Len()+len(end)+64 < bodyBytes; i++ {
		fmt.Fprintf(&b, `"order_line_%02d": "%d × something",`+"\n      ", i, i)
	}
	b.WriteString(end)
	b.WriteString(strings.Repeat(" ", bodyBytes-b.Len()))
	return []byte(b.String())
}
