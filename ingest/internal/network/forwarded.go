// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/http"
	"net/netip"
	"strings"
)

// Style is how proxies tell whom they forward for.
type Style string

// The styles. Only one is believed, since a proxy that sets one passes on what a
// client wrote into the other.
const (
	// XForwarded is X-Forwarded-For, -Proto and -Host.
	XForwarded Style = "x-forwarded"
	// Forwarded is the header of RFC 7239.
	Forwarded Style = "forwarded"
)

// headers are those of all styles.
var headers = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"}

// Proxies are those in front of us that are trusted.
type Proxies struct {
	Trusted Networks
	Style   Style
}

// Handler gives requests the client's address as RemoteAddr, and the scheme and
// host that the client called as URL.Scheme and Host. What proxies say is
// believed hop by hop from our side, as far as each hop is trusted. The headers
// are removed, so that nothing behind can believe another's.
func (p Proxies) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Scheme = "http"
		if r.TLS != nil {
			r.URL.Scheme = "https"
		}
		if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && p.Trusted.Contain(peer.Addr()) {
			p.resolve(r)
		}
		for _, name := range headers {
			delete(r.Header, name)
		}
		next.ServeHTTP(w, r)
	})
}

// resolve finds the hop at which the chain of trusted proxies begins: the last
// one from our side whose peer is trusted. What it says of its client counts.
func (p Proxies) resolve(r *http.Request) {
	hops := p.hops(r.Header)
	for i := len(hops) - 1; i >= 0; i-- {
		client, ok := parseNode(hops[i].client)
		if ok {
			r.RemoteAddr = netip.AddrPortFrom(client, 0).String()
		}
		if ok && i > 0 && p.Trusted.Contain(client) {
			continue
		}
		if proto := strings.ToLower(hops[i].proto); proto == "http" || proto == "https" {
			r.URL.Scheme = proto
		}
		if validHost(hops[i].host) {
			r.Host = hops[i].host
		}
		return
	}
}

// hop is what one proxy says of the request that it got.
type hop struct{ client, proto, host string }

func (p Proxies) hops(h http.Header) []hop {
	if p.Style == Forwarded {
		return parseForwarded(list(h, "Forwarded"))
	}
	clients, protos, hosts := list(h, "X-Forwarded-For"), list(h, "X-Forwarded-Proto"), list(h, "X-Forwarded-Host")
	hops := make([]hop, max(len(clients), 1))
	for i := range hops {
		// Proxies append to the first header and often set the others.
		hops[i] = hop{at(clients, i, len(clients)), at(protos, i, len(clients)), at(hosts, i, len(clients))}
	}
	return hops
}

// at is element i of a list that has n elements, or the last one of another
// list: it is the nearest proxy's.
func at(list []string, i, n int) string {
	switch {
	case len(list) == 0:
		return ""
	case len(list) == n:
		return list[i]
	}
	return list[len(list)-1]
}

// list splits a header at commas outside quotes. Repeated fields are one list
// (RFC 9110, section 5.3).
func list(h http.Header, name string) []string {
	return split(strings.Join(h.Values(name), ","), ',')
}

// split cuts text at separators outside quotes, and blanks around the parts.
func split(text string, separator byte) []string {
	if text == "" {
		return nil
	}
	var parts []string
	begin, quoted := 0, false
	for i := range len(text) {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case text[i] == separator && !quoted:
			parts = append(parts, strings.TrimSpace(text[begin:i]))
			begin = i + 1
		}
	}
	return append(parts, strings.TrimSpace(text[begin:]))
}

// parseForwarded reads the elements of RFC 7239, section 4. Names are read in any
// case, values with or without quotes; escapes do not occur in what is used.
func parseForwarded(elements []string) []hop {
	hops := make([]hop, len(elements))
	for i, element := range elements {
		for _, pair := range split(element, ';') {
			name, value, _ := strings.Cut(pair, "=")
			value = strings.Trim(value, `"`)
			switch strings.ToLower(name) {
			case "for":
				hops[i].client = value
			case "proto":
				hops[i].proto = value
			case "host":
				hops[i].host = value
			}
		}
	}
	return hops
}

// parseNode reads an address with or without a port, IPv6 with or without
// brackets. Obfuscated and unknown nodes (RFC 7239, section 6) are none.
func parseNode(text string) (netip.Addr, bool) {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().Unmap(), true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return addr.Unmap(), err == nil
}

// validHost admits what can be in a URL's host: names, addresses and ports.
func validHost(host string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]"
	return host != "" && len(host) <= 255 && strings.Trim(host, allowed) == ""
}
