// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/hookstream/hookstream/stage/admin"
)

// Serve runs work beside a server for operators. The server outlives ctx until work
// has drained, so that the drain can be watched. The first failure ends both.
func Serve(ctx context.Context, server *admin.Server, work func(context.Context) error) error {
	drained, done := context.WithCancel(context.WithoutCancel(ctx))
	defer done()
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return server.Serve(drained) })
	g.Go(func() error {
		defer done()
		return work(gctx)
	})
	return g.Wait()
}
