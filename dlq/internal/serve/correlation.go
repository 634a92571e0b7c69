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

// about writes lines with the correlation id of a request.
func about(log *slog.Logger, r *http.Request) *slog.Logger {
	return log.With("correlation_id", correlationOf(r.Context()))
}
