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

// paymentIntent is an event with the fields and the layout of Stripe's. Its
// description fills it up.
func paymentIntent(n int, at time.Time) []byte {
	unpadded := len(paymentIntentText(n, at, ""))
	return []byte(paymentIntentText(n, at, strings.Repeat("x", bodyBytes-unpadded)))
}

func paymentIntentText(n int, at time.Time, description string) string {
	return fmt.Sprintf(`{
  "id": "evt_bench%07[1]d",
  "object": "event",
  "api_version": "2025-03-31.basil",
  "created": %[2]d,
  "data": {
    "object": {
      "id": "pi_bench%07[1]d",
      "object": "payment_intent",
      "amount": 1099,
      "amount_capturable": 0,
      "amount_details": {
        "tip": {}
      },
      "amount_received": 1099,
      "application": null,
      "application_fee_amount": null,
      "automatic_payment_methods": {
        "allow_redirects": "always",
        "enabled": true
      },
      "canceled_at": null,
      "cancellation_reason": null,
      "capture_method": "automatic_async",
      "client_secret": null,
      "confirmation_method": "automatic",
      "created": %[2]d,
      "currency": "eur",
      "customer": "cus_bench%07[1]d",
      "description": "Größe: %[3]s",
      "last_payment_error": null,
      "latest_charge": "ch_bench%07[1]d",
      "livemode": false,
      "metadata": {
        "order_id": "6735"
      },
      "next_action": null,
      "on_behalf_of": null,
      "payment_method": "pm_bench%07[1]d",
      "payment_method_options": {
        "card": {
          "installments": null,
          "mandate_options": null,
          "network": null,
          "request_three_d_secure": "automatic"
        }
      },
      "payment_method_types": [
        "card",
        "link"
      ],
      "processing": null,
      "receipt_email": null,
      "review": null,
      "setup_future_usage": null,
      "shipping": null,
      "source": null,
      "statement_descriptor": null,
      "statement_descriptor_suffix": null,
      "status": "succeeded",
      "transfer_data": null,
      "transfer_group": null
    }
  },
  "livemode": false,
  "pending_webhooks": 1,
  "request": {
    "id": "req_bench%07[1]d",
    "idempotency_key": null
  },
  "type": "payment_intent.succeeded"
}`, n, at.Unix(), description)
}
