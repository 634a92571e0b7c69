// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/ingest/internal/request"
)

// body2KB is a Stripe event of a usual size.
var body2KB = stripeBody[:len(stripeBody)-1] + `,"lines":[` + strings.Repeat(`{"some_name":"some value","amount":12345},`, 48) + `{}]}`

type discard struct{}

func (discard) ProduceAll(context.Context, []*kgo.Record) error { return nil }

// BenchmarkReceive is the whole handler without HTTP's parsing and without
// Kafka.
func BenchmarkReceive(b *testing.B) {
	w := newWorld(b, func(c *Config) { c.Producer = discard{}; c.Log = slog.New(slog.DiscardHandler) })
	header := stripe(body2KB).Header
	b.SetBytes(int64(len(body2KB)))
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/webhooks/stripe", strings.NewReader(body2KB))
		r.Header = header
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		if rec.Code != http.StatusAccepted {
			b.Fatal(rec.Body)
		}
	}
}

// BenchmarkVerifyAndIdentify is what a webhook costs beyond a bare handler.
func BenchmarkVerifyAndIdentify(b *testing.B) {
	w := newWorld(b)
	p, keys := w.cfg.Setup().providers["stripe"], w.cfg.Setup().keys.Keys(DefaultTenant, "stripe")
	r, data := stripe(body2KB), []byte(body2KB)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		req := request.New(r, data, p.fields, "")
		if _, err := p.verifier.Verify(b.Context(), req, keys, noon); err != nil {
			b.Fatal(err)
		}
		if f := p.identify(req, "c"); f.webhook.Defect != "" {
			b.Fatal(f.webhook.Defect)
		}
	}
}
