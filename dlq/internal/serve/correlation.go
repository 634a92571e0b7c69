// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/hookstream/hookstream/stage/correlation"
)

// correlationKey is that of a request's correlation id in its context.
type correlationKey struct{}

// correlated gives a request its correlation id, which is in its answer too.
func correlated(w http.ResponseWriter, r *http.Request) *http.Request {
	id := correlation.ID(r.Header)
	w.Header().Set(correlation.Header, id)
	return r.WithContext(context.WithValue(r.Context(), correlationKey{}, id))
}

func correlationOf(ctx context.Context) string {
	id, _ := ctx.Value(correlationKey{}).(string)
	return id
}

// correlatedWith says in a line which request it is about.
func correlatedWith(ctx context.Context) slog.Attr {
	return slog.String("correlation_id", correlationOf(ctx))
}
