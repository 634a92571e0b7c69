// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"strings"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// link is a connection between the services and a part, which can be cut and
// slowed (Toxiproxy).
type link struct{ proxy *toxiproxy.Proxy }

// newLink leads connections to listen, where 127.0.0.1:0 is a free port, on to
// upstream.
func newLink(name, listen, upstream string) (*link, error) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := toxiproxy.NewProxy(server, name, listen, upstream)
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("link %s: %w", name, err)
	}
	return &link{p}, nil
}

func (l *link) address() string { return l.proxy.Listen }

// cut drops all connections and refuses new ones until mend.
func (l *link) cut() { l.proxy.Stop() }

func (l *link) mend() error { return l.proxy.Start() }

const slow = `{"name":"slow","type":"latency","stream":"downstream","attributes":{"latency":400,"jitter":300}}`

// slow delays every answer until quicken.
func (l *link) slow() error {
	_, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(slow))
	return err
}

func (l *link) quicken(ctx context.Context) { l.proxy.Toxics.ResetToxics(ctx) }
