// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/netip"
	"strings"
	"testing"
)

func TestNetworksContain(t *testing.T) {
	n, err := ParseNetworks([]string{"192.0.2.128/25", " 198.51.100.7", "2001:db8::/32"})
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"192.0.2.200": true, "192.0.2.1": false, "198.51.100.7": true, "198.51.100.8": false,
		"2001:db8::1": true, "2001:db9::1": false,
		"::ffff:192.0.2.200": true, // IPv4 as an IPv6 socket shows it
		"2001:db8::1%eth0":   true,
	} {
		if got := n.Contain(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %t, want %t", addr, got, want)
		}
	}
	if n.Contain(netip.Addr{}) {
		t.Error("contains no address at all")
	}
	for _, bad := range []string{"", "192.0.2.0/33", "example.com"} {
		if _, err := ParseNetworks([]string{bad}); err == nil || !strings.Contains(err.Error(), `"`+bad+`"`) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestAllowlist(t *testing.T) {
	a, err := ParseAllowlist(map[string]string{
		"stripe": "192.0.2.0/24, 198.51.100.1", "acme/stripe": "203.0.113.0/24",
	})
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		tenant, provider, client string
		want                     bool
	}{
		{"default", "stripe", "192.0.2.9:1234", true},
		{"default", "stripe", "198.51.100.1:1234", true},
		{"default", "stripe", "203.0.113.9:1234", false},
		{"default", "stripe", "not an address", false},
		{"acme", "stripe", "203.0.113.9:1234", true},
		{"acme", "stripe", "192.0.2.9:1234", false},
		{"acme", "github", "anything", true},
	}
	for _, c := range cases {
		if got := a.Allows(c.tenant, c.provider, c.client); got != c.want {
			t.Errorf("%s/%s from %s: %t, want %t", c.tenant, c.provider, c.client, got, c.want)
		}
	}
	if _, err := ParseAllowlist(map[string]string{"stripe": "10.0.0.0/8,x"}); err == nil || !strings.Contains(err.Error(), `stripe: "x"`) {
		t.Errorf("got %v", err)
	}
	if !Allowlist(nil).Allows("a", "p", "anything") {
		t.Error("nothing is listed, yet it is refused")
	}
}
