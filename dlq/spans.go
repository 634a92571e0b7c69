// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel"

	"github.com/hookstream/hookstream/stage/service"
	"github.com/hookstream/hookstream/stage/telemetry"
	"github.com/hookstream/hookstream/stage/terminal"
)

// flushTimeout is how long a command may take at its end to export its spans.
const flushTimeout = 3 * time.Second

// exportSpans exports the spans of a replay where the OTEL_* variables ask for
// it, until flush, which sends what is left. Nobody's replay fails for its spans:
// the first thing that is wrong with them is said, and that is all.
func (s *session) exportSpans() (flush func()) {
	var once sync.Once
	wrong := func(err error) {
		once.Do(func() { fmt.Fprintln(s.Err, "dlq: the replay's spans are not exported:", terminal.Clean(err.Error())) })
	}
	stop, err := telemetry.StartTraces(s.ctx, "dlq", service.Version())
	if err != nil {
		wrong(err)
		return func() {}
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(wrong))
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), flushTimeout)
		defer cancel()
		if err := stop(ctx); err != nil {
			wrong(err)
		}
	}
}
