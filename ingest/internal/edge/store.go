// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/schemas/reason"
)

// store has the webhooks of a verified request written, whatever is wrong with
// them otherwise, and answers once every one is.
func (h *Handler) store(x *exchange, req *request.Request, b *batch, proof evidence) (*reply, *refusal) {
	stored := make([]found, len(b.webhooks))
	records := make([]*kgo.Record, len(b.webhooks))
	for i, part := range b.webhooks {
		stored[i] = h.record(x, part, b, i)
		proof.put(stored[i].webhook)
		records[i] = stored[i].webhook.Record(h.cfg.RawTopic)
	}
	x.settle(stored)
	if len(records) > 0 {
		if err := h.cfg.Producer.ProduceAll(x.ctx, records); err != nil {
			return nil, refuse(notAcknowledged, "the webhook was verified but is not known to be stored; send it again").
				with("Retry-After", retryAfter).because(err)
		}
	}
	h.metrics.stored(x.provider, len(stored))
	for i := range stored {
		h.noteStored(x, &stored[i])
	}
	return h.acknowledge(x, req, b, stored)
}

// record makes what is stored of the i-th webhook of a batch.
func (h *Handler) record(x *exchange, req *request.Request, b *batch, i int) found {
	f := x.compiled.identify(req, x.correlationID)
	f.webhook.ReceivedAt = x.received
	f.webhook.Remote = remote(x.RemoteAddr)
	x.settleTenant(f.webhook)
	if b.places != nil {
		f.webhook.Batch = b.places[i]
	}
	if b.defect != "" {
		f.webhook.Defect = b.defect
	}
	return f
}

// settle notes whose the webhooks of a verified request are, and which one it is
// where it is one, for all that is said of the request from here on. Items of a
// batch may be of several tenants; then the request is of none.
func (x *exchange) settle(stored []found) {
	x.settled = true
	for i := range stored {
		if tenant := stored[i].webhook.Tenant; i == 0 {
			x.tenant = tenant
		} else if tenant != x.tenant {
			x.tenant = ""
			break
		}
	}
	if len(stored) == 1 {
		x.webhook = stored[0].webhook
	}
}

// acknowledge is the answer to stored webhooks: what the provider expects, or
// what Hookstream has to say.
func (h *Handler) acknowledge(x *exchange, req *request.Request, b *batch, stored []found) (*reply, *refusal) {
	if a := x.compiled.def.Answer; a != nil {
		sign := func(text string) (string, bool) { return x.compiled.verifier.Sign(text, x.keys) }
		body, _ := a.Render(req.Lookup, sign) // without what the request lacks the status is answer enough
		return rendered(a, body, outcomeAccepted), nil
	}
	if !b.isSplit {
		w := stored[0].webhook
		a := accepted{EventID: w.EventID, CorrelationID: x.correlationID, Defect: w.Defect}
		return accept(a.json()), nil
	}
	all := acceptedBatch{Events: len(stored), CorrelationID: x.correlationID}
	for i := range stored {
		if stored[i].webhook.Defect != "" {
			all.Defects++
		}
	}
	body, _ := json.Marshal(all) // strings and numbers
	return accept(body), nil
}

// noteStored counts and logs what was odd about a webhook.
func (h *Handler) noteStored(x *exchange, f *found) {
	w := f.webhook
	switch {
	case w.Defect != "":
		h.metrics.defect(x.ctx, w.Provider, w.Defect)
		h.noteSampled(x, w, string(w.Defect), slog.LevelWarn, "stored a webhook that cannot be processed; transform dead-letters it",
			slog.String("defect", string(w.Defect)), slog.Any("error", f.malformed))
	case f.odd:
		h.noteSampled(x, w, "odd", slog.LevelWarn, "stored a webhook whose time or sequence is not one; check identity.time and identity.sequence of the definition")
	default:
		x.noteOf(w, slog.LevelDebug, "accepted", slog.String("event_type", w.EventType), slog.String("key_id", w.Verification.KeyID))
	}
}

// accepted is Hookstream's own answer to a webhook.
type accepted struct {
	EventID       string `json:"eventId"`
	CorrelationID string `json:"correlationId"`
	// Defect says why the webhook, though stored, will be dead-lettered.
	Defect reason.Code `json:"defect,omitempty"`
}

// json is what encoding/json makes of a, in a fifth of its time: nearly every
// request is answered with it.
func (a *accepted) json() []byte {
	b := make([]byte, 0, 128)
	b = append(b, `{"eventId":`...)
	b, _ = jsontext.AppendQuote(b, a.EventID) // fails on invalid UTF-8, which no id has
	b = append(b, `,"correlationId":`...)
	b, _ = jsontext.AppendQuote(b, a.CorrelationID)
	if a.Defect != "" {
		b = append(b, `,"defect":`...)
		b, _ = jsontext.AppendQuote(b, a.Defect)
	}
	return append(b, '}')
}

// acceptedBatch is the answer to a request that held any number of webhooks.
type acceptedBatch struct {
	Events        int    `json:"events"`
	CorrelationID string `json:"correlationId"`
	// Defects are how many, though stored, will be dead-lettered.
	Defects int `json:"defects,omitempty"`
}

// outcomeAccepted is the metric label of stored webhooks.
const outcomeAccepted = "accepted"

func accept(body []byte) *reply {
	return &reply{status: http.StatusAccepted, contentType: "application/json", body: body, outcome: outcomeAccepted}
}
