// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hookstream/hookstream/stage/tracing"
)

// Work is what failed.
type Work string

// The works. A failure that ends a session counts as that too.
const (
	// Batch is an attempt at records.
	Batch Work = "batch"
	// Claim is a take-over of partitions in the database, or a look at whose they
	// are and how far.
	Claim Work = "claim"
	// Restore is of the state of partitions.
	Restore Work = "restore"
	// Background is what a stage does that no record brings.
	Background Work = "background"
	// Session is a client's life from joining its group to its end.
	Session Work = "session"
)

// Failed counts a failure, which is tried again or stops the service.
func (m *Meter) Failed(ctx context.Context, what Work, err error) {
	m.failures.Add(ctx, 1, metric.WithAttributes(m.group,
		attribute.String("work", string(what)), attribute.String("error_type", tracing.ErrorType(err))))
}

// Session is run, with a count of how often it fails. What ends with ctx does not.
func (m *Meter) Session(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := run(ctx)
		if err != nil && ctx.Err() == nil {
			m.Failed(ctx, Session, err)
		}
		return err
	}
}
