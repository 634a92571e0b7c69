// SPDX-License-Identifier: Apache-2.0

// Package network knows where a request comes from: the client's address and the
// URL that it called, also behind proxies, and which networks may send.
package network

import (
	"fmt"
	"net/netip"
	"strings"
)

// Networks are IP networks.
type Networks []netip.Prefix

// ParseNetworks reads networks, 192.0.2.0/24, and single addresses, 192.0.2.1.
// The error names the first that is neither.
func ParseNetworks(texts []string) (Networks, error) {
	var networks Networks
	for _, text := range texts {
		text = strings.TrimSpace(text)
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("%q is neither a network like 192.0.2.0/24 nor an address", text)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		networks = append(networks, prefix.Masked())
	}
	return networks, nil
}

// Contain reports whether one of the networks has the address.
func (n Networks) Contain(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, prefix := range n {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// Allowlist says which networks may send whose webhooks.
type Allowlist map[string]Networks

// ParseAllowlist reads lists of networks, separated by commas, by provider or by
// tenant/provider.
func ParseAllowlist(lists map[string]string) (Allowlist, error) {
	allowed := make(Allowlist, len(lists))
	for name, list := range lists {
		networks, err := ParseNetworks(strings.Split(list, ","))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		allowed[name] = networks
	}
	return allowed, nil
}

// Allows reports whether the client may send webhooks of the tenant's provider.
// Client is an http.Request's RemoteAddr. The tenant's own list counts instead
// of the provider's; without either everybody may.
func (a Allowlist) Allows(tenant, provider, client string) bool {
	if len(a) == 0 {
		return true
	}
	networks, listed := a[tenant+"/"+provider]
	if !listed {
		networks, listed = a[provider]
	}
	if !listed {
		return true
	}
	from, err := netip.ParseAddrPort(client)
	return err == nil && networks.Contain(from.Addr())
}
