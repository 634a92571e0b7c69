// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// generator draws events. The same seed and run give the same events.
type generator struct {
	rng  *rand.Rand
	run  string
	base time.Time
	n    int
}

// body renders a JSON body with the event's serial in it.
func (g *generator) body(serial string, fields map[string]any) []byte {
	fields["hookstream_serial"] = serial
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err) // only maps, strings and numbers are put in
	}
	return b
}

func (g *generator) next() string {
	g.n++
	return serial(g.run, g.n)
}

// at is a whole second within the hour before the run, so that several events
// of one key often share it and the order of arrival decides.
func (g *generator) start() time.Time {
	return g.base.Add(-time.Duration(g.rng.IntN(3600)) * time.Second).Truncate(time.Second).UTC()
}

func (g *generator) step() time.Duration { return time.Duration(g.rng.IntN(3)) * time.Second }

func (g *generator) stripe(eventType string, at time.Time, object map[string]any) *Event {
	s := g.next()
	id := "evt_" + s
	return &Event{
		Serial: s, Provider: "stripe", ID: id, Type: eventType, At: at, Header: http.Header{}, Fate: Applied,
		Body: g.body(s, map[string]any{
			"id": id, "object": "event", "api_version": "2025-03-31.basil", "created": at.Unix(), "livemode": false,
			"pending_webhooks": 1, "type": eventType, "data": map[string]any{"object": object},
		}),
	}
}

// payment is the story of one Stripe payment intent and its charge. Both write
// to one row, each its own group of fields.
func (g *generator) payment() []*Event {
	s := serial(g.run, g.n+1)
	intent, charge := "pi_"+s, "ch_"+s
	amount := 100 + g.rng.IntN(1_000_000)
	at := g.start()
	var events []*Event
	intentEvent := func(kind, status, canonical string, received int) {
		e := g.stripe("payment_intent."+kind, at, map[string]any{
			"id": intent, "object": "payment_intent", "amount": amount, "amount_received": received,
			"currency": "eur", "customer": "cus_" + s, "status": status, "created": at.Unix(),
			"metadata": map[string]any{"order_id": s, "note": "grüße"},
		})
		e.Want = Row{Entity: "payment", ID: intent, Group: "payment", Columns: map[string]string{
			"status": canonical, "amount": strconv.Itoa(amount), "amount_received": strconv.Itoa(received), "currency": "EUR",
		}}
		events = append(events, e)
		at = at.Add(g.step())
	}
	chargeEvent := func(kind string, refunded int) {
		e := g.stripe("charge."+kind, at, map[string]any{
			"id": charge, "object": "charge", "payment_intent": intent, "amount": amount, "amount_refunded": refunded,
			"refunded": refunded == amount, "captured": true, "currency": "eur", "status": "succeeded", "created": at.Unix(),
		})
		e.Want = Row{Entity: "payment", ID: intent, Group: "charge", Columns: map[string]string{
			"charge_id": charge, "charge_status": "succeeded", "amount_refunded": strconv.Itoa(refunded),
			"refunded": strconv.FormatBool(refunded == amount),
		}}
		events = append(events, e)
		at = at.Add(g.step())
	}
	intentEvent("created", "requires_payment_method", "pending", 0)
	intentEvent("processing", "processing", "processing", 0)
	chargeEvent("succeeded", 0)
	intentEvent("succeeded", "succeeded", "succeeded", amount)
	if g.rng.IntN(3) == 0 {
		chargeEvent("refunded", 1+g.rng.IntN(amount))
	}
	return events
}

// customer is created, changed and sometimes deleted.
func (g *generator) customer() []*Event {
	s := serial(g.run, g.n+1)
	id := "cus_" + s
	at := g.start()
	var events []*Event
	add := func(kind, email string, deleted bool) {
		e := g.stripe("customer."+kind, at, map[string]any{
			"id": id, "object": "customer", "email": email, "name": "Zoë " + s, "created": at.Unix(), "balance": 0,
		})
		e.Want = Row{Entity: "customer", ID: id, Deleted: deleted, Columns: map[string]string{"email": email, "name": "Zoë " + s}}
		events = append(events, e)
		at = at.Add(g.step())
	}
	add("created", s+"@example.com", false)
	for i := range g.rng.IntN(3) {
		add("updated", fmt.Sprintf("%s+%d@example.com", s, i), false)
	}
	if g.rng.IntN(4) == 0 {
		add("deleted", s+"@example.com", true)
	}
	return events
}

// issue is opened, edited and closed at GitHub, with ids above 2^53.
func (g *generator) issue() []*Event {
	const repository = 9_007_199_254_740_993
	number := g.n + 1
	s := serial(g.run, number)
	key := fmt.Sprintf("repositories/%d/issues/%d", g.repository(repository), number)
	at := g.start()
	var events []*Event
	add := func(action, title, state string) {
		serial := g.next()
		e := &Event{
			Serial: serial, Provider: "github", ID: serial + "/77", Type: "issues." + action, At: at, Fate: Applied,
			Header: http.Header{"X-Github-Event": {"issues"}, "X-Github-Delivery": {serial}, "X-Github-Hook-Id": {"77"}},
			Body: g.body(serial, map[string]any{
				"action": action,
				"issue": map[string]any{
					"id": 1_000_000 + number, "number": number, "title": title, "state": state, "comments": 0, "locked": false,
					"user": map[string]any{"login": "octo"}, "labels": []any{map[string]any{"name": "bug"}},
					"created_at": at.Format(time.RFC3339), "updated_at": at.Format(time.RFC3339),
				},
				"repository": map[string]any{"id": g.repository(repository), "full_name": "octo/" + g.run},
				"sender":     map[string]any{"login": "octo"},
			}),
			Want: Row{Entity: "issue", ID: key, Columns: map[string]string{
				"title": title, "state": state, "number": strconv.Itoa(number),
			}},
		}
		events = append(events, e)
		at = at.Add(g.step())
	}
	add("opened", "Broken "+s, "open")
	for i := range g.rng.IntN(3) {
		add("edited", fmt.Sprintf("Broken %s, edit %d", s, i), "open")
	}
	add("closed", "Fixed "+s, "closed")
	return events
}

// repository gives each run its own, so that issue numbers do not meet those of
// an earlier run on the same data.
func (g *generator) repository(first int64) int64 { return first + g.base.UnixMilli() }

// order is placed, paid and changed at Shopify, where money is decimal text.
func (g *generator) order() []*Event {
	number := g.base.UnixMilli()*1_000_000 + int64(g.n) + 1
	at := g.start()
	cents := 100 + g.rng.IntN(100_000)
	var events []*Event
	add := func(topic, payment string) {
		serial := g.next()
		e := &Event{
			Serial: serial, Provider: "shopify", ID: serial + "/orders/" + topic, Type: "orders/" + topic, At: at, Fate: Applied,
			Header: http.Header{
				"X-Shopify-Topic": {"orders/" + topic}, "X-Shopify-Event-Id": {serial},
				"X-Shopify-Webhook-Id": {"w-" + serial}, "X-Shopify-Shop-Domain": {"demo.myshopify.com"},
			},
			Body: g.body(serial, map[string]any{
				"id": number, "name": fmt.Sprintf("#%d", number), "currency": "USD", "financial_status": payment,
				"total_price": fmt.Sprintf("%d.%02d", cents/100, cents%100), "line_items": []any{},
				"created_at": at.Format(time.RFC3339), "updated_at": at.Format(time.RFC3339),
			}),
			Want: Row{Entity: "order", ID: fmt.Sprintf("orders/%d", number), Columns: map[string]string{
				"payment_status": payment, "total": strconv.Itoa(cents), "currency": "USD",
			}},
		}
		events = append(events, e)
		at = at.Add(g.step())
	}
	add("create", "pending")
	add("paid", "paid")
	if g.rng.IntN(2) == 0 {
		add("updated", "refunded")
	}
	return events
}

// unmapped is a type that no definition maps: it is kept as it came.
func (g *generator) unmapped() []*Event {
	s := g.next()
	at := g.start()
	e := &Event{
		Serial: s, Provider: "svix", ID: "msg_" + s, Type: "user.renamed", At: at, Header: http.Header{}, Fate: Applied,
		Body: g.body(s, map[string]any{
			"type": "user.renamed", "timestamp": at.Format(time.RFC3339), "data": map[string]any{"id": "usr_" + s, "name": "İpek"},
		}),
		Want: Row{Entity: "generic", ID: "usr_" + s + "/msg_" + s, Columns: map[string]string{}},
	}
	return []*Event{e}
}
