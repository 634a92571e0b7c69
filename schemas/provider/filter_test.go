// SPDX-License-Identifier: Apache-2.0

package provider_test

import (
	"slices"
	"testing"
	"time"

	"github.com/hookstream/hookstream/schemas/provider"
)

func expand(t *testing.T, text, value string) (string, bool) {
	t.Helper()
	template, err := provider.ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return provider.Expander{
		Lookup: func(provider.Ref) (string, bool) { return value, value != "" },
		Sign:   func(text string) (string, bool) { return "signed:" + text, true },
	}.Expand(template)
}

func TestHideOnlyNeedsThePart(t *testing.T) {
	if got, ok := expand(t, "follow{body.x|hide}", "anything"); !ok || got != "follow" {
		t.Errorf("with the part: %q, %t", got, ok)
	}
	if got, ok := expand(t, "follow{body.x|hide}", ""); ok {
		t.Errorf("without the part: %q", got)
	}
}

// TestSignIsNoOracle has a handshake asked for the signature of webhooks.
func TestSignIsNoOracle(t *testing.T) {
	for _, challenge := range []string{"qgg8vlvZRS6UYooatFL8Aw", "YmE0+/ZDE=", "b1-2_c"} {
		if got, ok := expand(t, "{query.crc_token|sign}", challenge); !ok || got != "signed:"+challenge {
			t.Errorf("challenge %q: %q, %t", challenge, got, ok)
		}
	}
	for _, forged := range []string{`{"type":"follow"}`, "v0:1767323045:x", "1767323045.x", "a&b", " ", "[1]", "\n", "ä"} {
		if got, ok := expand(t, "{query.crc_token|sign}", forged); ok {
			t.Errorf("signed %q: %q", forged, got)
		}
	}
}

func TestLocationOfSeveralHeaders(t *testing.T) {
	both := provider.Location{Header: "sig-primary, sig-secondary"}
	if got, want := both.Headers(), []string{"sig-primary", "sig-secondary"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (&provider.Location{Query: "token"}).Headers(); got != nil {
		t.Errorf("no header gives %q", got)
	}
}

func TestDateTimeMayEndInUTC(t *testing.T) {
	want := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, text := range []string{"2026-01-02 03:04:05 UTC", "2026-01-02 03:04:05", "2026-01-02T03:04:05"} {
		if got, err := provider.DateTime.Parse(text); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if got, err := provider.DateTime.Parse("2026-01-02 03:04:05 CET"); err == nil {
		t.Errorf("another zone gives %v", got)
	}
}
