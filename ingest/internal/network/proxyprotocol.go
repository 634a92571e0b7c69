// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/pires/go-proxyproto"
)

// ProxyProtocol expects the PROXY protocol, version 1 or 2, on connections from
// trusted networks and on no others. It is not guessed whether a proxy speaks it,
// as the specification asks: through one that does not, any client could write
// the header. Timeout bounds the wait for it.
func ProxyProtocol(l net.Listener, trusted Networks, timeout time.Duration) net.Listener {
	return &proxyproto.Listener{
		Listener:          l,
		ReadHeaderTimeout: timeout,
		ConnPolicy: func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			peer, err := netip.ParseAddrPort(o.Upstream.String())
			switch {
			case err != nil:
				return proxyproto.REJECT, fmt.Errorf("%w: %w", proxyproto.ErrInvalidUpstream, err)
			case trusted.Contain(peer.Addr()):
				return proxyproto.REQUIRE, nil
			}
			return proxyproto.SKIP, nil
		},
	}
}
