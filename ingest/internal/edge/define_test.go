// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/provider"
)

// harbour signs like nobody else: SHA-512 in base64 in one field of a list, over
// the method, the time in milliseconds, a query parameter in lower case and the
// body.
const harbour = `
provider: harbour
title: Harbour
docs: https://harbour.example/hooks
revision: 1
methods: [PUT]
verify:
  scheme: hmac
  algorithm: sha512
  encoding: base64
  signature: {header: X-Harbour-Proof, separator: ";", prefix: "seal "}
  timestamp: {header: X-Harbour-Proof, separator: ";", prefix: "tide ", unit: ms, tolerance: 90s}
  signed: "{method}|{timestamp}|{query.Berth|lower}|{body}"
  secret: {prefix: "hb_", encoding: hex}
identity:
  id: [{from: "{body.ship}/{header.X-Harbour-Voyage}", natural: true}]
  type: [{from: "ship.{body.movement}"}]
  key: [{from: "{body.ship}"}]
  time: [{from: "{body.at}", unit: rfc3339}]
`

// TestProviderByFileAlone: a provider that nobody has heard of takes one YAML
// file in a folder, and no Go.
func TestProviderByFileAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "harbour.yaml"), []byte(harbour), 0o600); err != nil {
		t.Fatal(err)
	}
	catalog, err := provider.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldOf(t, catalog, "default/harbour=hb_00ff11ee")
	const body = `{"ship":"imo9074729","movement":"docked","at":"2026-01-01T11:59:59.5+01:00"}`
	request := func(sent string) *http.Request {
		m := hmac.New(sha512.New, []byte{0x00, 0xff, 0x11, 0xee})
		m.Write([]byte("PUT|1767268800000|pier 7|" + body))
		r := httptest.NewRequest(http.MethodPut, "/webhooks/harbour?Berth=Pier%207", strings.NewReader(sent))
		r.Header.Set("X-Harbour-Proof", "tide 1767268800000; seal "+base64.StdEncoding.EncodeToString(m.Sum(nil)))
		r.Header.Set("X-Harbour-Voyage", "12")
		return r
	}
	w.do(request(body)).expect(t, http.StatusAccepted, "")
	got := w.kept.last(t)
	if got.EventID != "imo9074729/12" || got.IdentitySource != identity.NaturalKey || got.EventType != "ship.docked" || got.BusinessKey != "imo9074729" {
		t.Errorf("identified as %q (%s) %q %q", got.EventID, got.IdentitySource, got.EventType, got.BusinessKey)
	}
	if want := time.Date(2026, 1, 1, 10, 59, 59, 5e8, time.UTC); !got.OccurredAt.Equal(want) || string(got.Body) != body {
		t.Errorf("occurred at %s, stored %s", got.OccurredAt, got.Body)
	}
	if got.Method != http.MethodPut || got.URL != "http://example.com/webhooks/harbour?Berth=Pier%207" {
		t.Errorf("kept %s %s to verify it again", got.Method, got.URL)
	}
	w.do(request(body+" ")).expect(t, http.StatusUnauthorized, "invalid-signature")
	w.do(with(request(body), "X-Harbour-Proof", "seal x")).expect(t, http.StatusUnauthorized, "invalid-signature")
	if n := w.kept.count(); n != 1 {
		t.Errorf("%d records were stored", n)
	}
}
