// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"

	"github.com/hookstream/hookstream/stage/failure"
)

// ListenPprof makes the server of Go's profiles, /debug/pprof/. It is apart from
// Listen's because a profile costs and tells more than a probe: who may scrape
// metrics need not be who may stop the world. An empty address means no server,
// as with Listen.
//
// /debug/pprof/cmdline is left out: flags may hold passwords.
func ListenPprof(ctx context.Context, address string, log *slog.Logger) (*Server, error) {
	if address == "" {
		return nil, nil
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, failure.NewFatal("pprof listener on %s: %w (set HOOKSTREAM_PPROF_ADDRESS)", address, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", http.NotFound)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return newServer(ln, mux, log), nil
}
