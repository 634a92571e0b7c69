// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"reflect"
	"strings"
	"testing"
)

func TestNotes(t *testing.T) {
	text := `# Acme's webhooks,
# of shops.
#
# What is easy to get wrong here:
# - Ids are short,
#   and reused.
# - Times lie.
#
# Not confirmed: how often
# it retries.

` + strings.Replace(minimal, "revision: 1", "revision: 1\n# The hours.\nconfirmed: false # seen nowhere", 1)
	d, err := Parse("acme.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := Notes{
		Summary:     "Acme's webhooks, of shops.",
		Traps:       []string{"Ids are short, and reused.", "Times lie."},
		Unconfirmed: "Not confirmed: how often it retries. The hours. seen nowhere",
	}
	if got := d.Notes(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, want %#v", got, want)
	}
	if got := (&Definition{}).Notes(); !reflect.DeepEqual(got, Notes{}) {
		t.Errorf("a definition without a file has the notes %#v", got)
	}
}
