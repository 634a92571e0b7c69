// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
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
	return requests(ctx, host, n, func(i int, at time.Time) []byte { return paymentIntent(i, at) })
}

// eventsAPayment is how many events of a payment follow each other.
const eventsAPayment = 3

// signedEvents are n requests like those of signed, each with another event, whose
// ids are the prefix and their number.
func signedEvents(ctx context.Context, host, prefix string, n int) ([][]byte, error) {
	return requests(ctx, host, n, func(i int, at time.Time) []byte {
		return padded(prefix+strconv.Itoa(i), strings.TrimPrefix(prefix, "evt_")+strconv.Itoa(i/eventsAPayment), at)
	})
}

func requests(ctx context.Context, host string, n int, body func(i int, at time.Time) []byte) ([][]byte, error) {
	now := time.Now()
	out := make([][]byte, n)
	for i := range out {
		e := &workload.Event{Provider: "stripe", Body: body(i, now), Header: http.Header{}}
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
		out[i] = b.Bytes()
	}
	return out, nil
}

// paymentIntent is the nth event, of a payment of its own.
func paymentIntent(n int, at time.Time) []byte {
	return padded(fmt.Sprintf("evt_bench%07d", n), fmt.Sprintf("bench%07d", n), at)
}

// padded is an event with the fields and the layout of Stripe's. Its description
// fills it up.
func padded(event, payment string, at time.Time) []byte {
	unpadded := len(paymentIntentText(event, payment, at, ""))
	return []byte(paymentIntentText(event, payment, at, strings.Repeat("x", bodyBytes-unpadded)))
}

func paymentIntentText(event, payment string, at time.Time, description string) string {
	return fmt.Sprintf(`{
  "id": "%[1]s",
  "object": "event",
  "api_version": "2025-03-31.basil",
  "created": %[3]d,
  "data": {
    "object": {
      "id": "pi_%[2]s",
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
      "created": %[3]d,
      "currency": "eur",
      "customer": "cus_%[2]s",
      "description": "Größe: %[4]s",
      "last_payment_error": null,
      "latest_charge": "ch_%[2]s",
      "livemode": false,
      "metadata": {
        "order_id": "6735"
      },
      "next_action": null,
      "on_behalf_of": null,
      "payment_method": "pm_%[2]s",
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
    "id": "req_%[2]s",
    "idempotency_key": null
  },
  "type": "payment_intent.succeeded"
}`, event, payment, at.Unix(), description)
}
