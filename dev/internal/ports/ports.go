// SPDX-License-Identifier: Apache-2.0

// Package ports finds usable ports on the loopback interface for servers of
// other programs, which cannot be handed a listener.
package ports

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are picked below the range from which the kernel gives outgoing
// connections theirs (Linux from 32768, macOS from 49152). In that range a
// client that calls a killed server again and again would one day get the
// server's own port, connect to itself, and keep the server from it.
const (
	first    = 20000
	count    = 10000
	maxTries = 1000
)

// Picker picks ports that are all different. It listens on them, so that no
// other Picker takes them, until Release.
type Picker struct {
	taken []net.Listener
}

// Take takes that port, or says that it is in use.
func (p *Picker) Take(port int) error {
	listener, err := net.Listen("tcp", Address(port)) //nolint:noctx // returns at once
	if err != nil {
		return fmt.Errorf("port %d cannot be used: stop what listens there, or choose another: %w", port, err)
	}
	p.taken = append(p.taken, listener)
	return nil
}

// Pick takes the preferred port if it can be used and is not 0, or else another.
func (p *Picker) Pick(preferred int) (int, error) {
	if preferred != 0 && p.Take(preferred) == nil {
		return preferred, nil
	}
	for range maxTries {
		port := first + rand.IntN(count)
		if p.Take(port) == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("found no free port from %d to %d", first, first+count-1)
}

// Release gives the ports to their servers.
func (p *Picker) Release() {
	for _, listener := range p.taken {
		_ = listener.Close()
	}
}

// Address is the port on the loopback interface.
func Address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
