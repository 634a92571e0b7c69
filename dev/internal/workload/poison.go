// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"net/http"
	"time"
)

// poison draws one webhook that must not reach a row: refused at the edge, or
// accepted and dead-lettered with the named reason.
func (g *generator) poison() *Event {
	kinds := []func() *Event{
		g.wrongSignature, g.oldTimestamp, g.malformed, g.invalidUTF8, g.repeatedName,
		g.wrongType, g.farFuture, g.noIdentity, g.nulCharacter,
	}
	return kinds[g.rng.IntN(len(kinds))]()
}

func (g *generator) wrongSignature() *Event {
	e := g.customer()[0]
	e.Fate = Refused
	e.tamper = func(r *http.Request, now time.Time) {
		r.Header.Set("Stripe-Signature", fmt.Sprintf("t=%d,v1=%064d", now.Unix(), 1))
	}
	return e
}

// oldTimestamp is a captured request sent again later.
func (g *generator) oldTimestamp() *Event {
	e := g.customer()[0]
	e.Fate = Refused
	e.tamper = func(r *http.Request, now time.Time) { e.sign(r, now.Add(-time.Hour)) }
	return e
}

func (g *generator) deadLettered(e *Event, stage, reason string) *Event {
	e.Fate, e.Stage, e.Reason = DeadLettered, stage, reason
	return e
}

func (g *generator) malformed() *Event {
	e := g.customer()[0]
	e.Body = e.Body[:len(e.Body)-2]
	return g.deadLettered(e, "transform", "malformed_body")
}

func (g *generator) invalidUTF8() *Event {
	e := g.customer()[0]
	e.Body = append(e.Body[:len(e.Body)-1], []byte(",\"x\":\"\xff\xfe\"}")...)
	return g.deadLettered(e, "transform", "malformed_body")
}

func (g *generator) repeatedName() *Event {
	e := g.customer()[0]
	e.Body = append(e.Body[:len(e.Body)-1], []byte(`,"type":"customer.updated"}`)...)
	return g.deadLettered(e, "transform", "malformed_body")
}

// wrongType has text where the schema wants a number.
func (g *generator) wrongType() *Event {
	at := g.start()
	e := g.stripe("payment_intent.succeeded", at, map[string]any{"id": "pi_" + serial(g.run, g.n), "amount": "a lot", "currency": "eur"})
	return g.deadLettered(e, "transform", "mapping_failed")
}

// farFuture would freeze its row: nothing could ever be newer.
func (g *generator) farFuture() *Event {
	e := g.stripe("customer.created", time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), map[string]any{"id": "cus_" + serial(g.run, g.n)})
	return g.deadLettered(e, "transform", "time_out_of_bounds")
}

func (g *generator) noIdentity() *Event {
	s := g.next()
	e := &Event{Serial: s, Provider: "stripe", Header: http.Header{}, Body: g.body(s, map[string]any{"type": "customer.created"})}
	return g.deadLettered(e, "transform", "missing_identity")
}

// nulCharacter is valid JSON that Postgres cannot store.
func (g *generator) nulCharacter() *Event {
	e := g.stripe("customer.created", g.start(), map[string]any{"id": "cus_" + serial(g.run, g.n), "name": "a\x00b"})
	return g.deadLettered(e, "sink", "invalid_value")
}

// conflict has the identity of an event that was accepted before, and other
// data.
func (g *generator) conflict(e *Event) *Event {
	s := g.next()
	c := &Event{Serial: s, Provider: "stripe", ID: e.ID, Type: e.Type, At: e.At, Header: http.Header{}}
	c.Body = g.body(s, map[string]any{
		"id": e.ID, "object": "event", "created": e.At.Unix(), "type": e.Type,
		"data": map[string]any{"object": map[string]any{"id": e.Want.ID, "object": "customer", "email": "someone-else@example.com"}},
	})
	return g.deadLettered(c, "transform", "identity_conflict")
}
