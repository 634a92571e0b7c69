// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/ingest/internal/catalogue"
	"github.com/hookstream/hookstream/schemas/provider"
)

func TestProvidersListsAll(t *testing.T) {
	catalog, err := provider.Load("")
	if err != nil {
		t.Fatal(err)
	}
	table := ingest(t, "providers")
	table.want(t, 0, "NAME ", "CONFIRMED")
	if strings.Contains(table.out, "\x1b") {
		t.Error("colour where there is no terminal")
	}
	var listed []catalogue.Entry
	if err := json.Unmarshal([]byte(ingest(t, "providers", "-o", "json").out), &listed); err != nil {
		t.Fatal(err)
	}
	if len(listed) != len(catalog) || strings.Count(table.out, "\n") != len(catalog)+1 {
		t.Errorf("%d of %d providers in JSON, and the table:\n%s", len(listed), len(catalog), table.out)
	}
	for _, name := range catalog.Names() {
		if !strings.Contains(table.out, "\n"+name+" ") {
			t.Errorf("%s is not in the table", name)
		}
	}
	ingest(t, "providers", "hubspot").want(t, 0, "HubSpot (hubspot)", "Verified by (v3)", "TENANT/hubspot: ", "Event id", "HOOKSTREAM_PUBLIC_URL")
}

func TestProvidersOfOnesOwn(t *testing.T) {
	dir := write(t, map[string]string{"acme.yaml": "# Acme's shops.\n# - Orders come twice.\n" + acme})
	ingest(t, "providers", "--definitions-dir", dir).want(t, 0, "acme ", "stripe ")
	ingest(t, "providers", "acme", "--definitions-dir", dir).want(t, 0,
		"Acme (acme)", "Acme's shops.", "HMAC-SHA256 of {body} in hex, in header X-Acme-Signature", "Easy to get wrong\n  - Orders come twice.", "order.paid become order")
	ingest(t, "providers", "acme", "--definitions-dir", dir, "-o", "json").want(t, 0, `"name": "acme"`, `"scheme": "hmac"`)
	ingest(t, "providers", "acme").want(t, 1, `there is no provider "acme", only adyen, `)
}

func TestColourIsForTerminals(t *testing.T) {
	var b bytes.Buffer
	entries := []*catalogue.Entry{{Name: "acme", Confirmed: false}}
	if err := list(&b, entries, true); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "\x1b[33mno\x1b[0m") {
		t.Errorf("%q", b.String())
	}
}
