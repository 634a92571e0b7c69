// SPDX-License-Identifier: Apache-2.0

// Package deadletter turns a record that failed for good into its dead letter.
package deadletter

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/tracing"
)

// Writer makes the dead letters of one stage.
type Writer struct {
	// Stage is who gave the record up.
	Stage record.Stage
	// Topic of dead letters.
	Topic string
	// Version of the service.
	Version string
	// Fits reports whether the broker takes a record; nil is always.
	Fits func(*kgo.Record) bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Record is the dead letter of failed, which failed with the Permanent error
// cause when it was tried for the last time. It keeps the failed record's bytes and
// headers, and goes on in its trace, which is recorded from here on.
func (w *Writer) Record(failed *kgo.Record, cause error, tries failure.Tries) *kgo.Record {
	now := time.Now
	if w.Now != nil {
		now = w.Now
	}
	at := now()
	first := tries.Since
	if first.IsZero() || first.After(at) {
		first = at
	}
	d := record.DeadLetter{
		Stage:          w.Stage,
		Failed:         record.PositionOf(failed),
		Class:          failure.Of(cause).String(),
		Reason:         failure.ReasonOf(cause),
		Exception:      exception(failure.ReasonOf(cause)),
		Message:        message(cause),
		Attempts:       tries.Count,
		FirstFailedAt:  first,
		LastFailedAt:   at,
		ServiceVersion: w.Version,
		Key:            failed.Key,
		Value:          failed.Value,
		Headers:        header.List(failed.Headers),
	}
	r := w.fit(&d)
	tracing.Fail(failed, string(w.Stage), cause)
	tracing.Continue(r, failed)
	return r
}

// Log writes the line about a dead letter that was written. The message may quote
// the payload, so it is in the dead letter only.
func Log(ctx context.Context, log *slog.Logger, failed *kgo.Record, cause error) {
	log.WarnContext(tracing.Within(ctx, failed), "dead letter", tracing.LogAttr(failed), "reason", string(failure.ReasonOf(cause)))
}

// fit leaves out what makes a dead letter too large: the value, and if that is
// not enough the key and the original headers. A failed record can be as large
// as its topic allows, and the broker's refusal of its dead letter would stop
// the partition for ever. What is left out is named in a header and stays where
// the record failed, as long as that topic keeps it.
func (w *Writer) fit(d *record.DeadLetter) *kgo.Record {
	r := d.Record(w.Topic)
	if w.Fits == nil || w.Fits(r) {
		return r
	}
	d.Omitted = fmt.Sprintf("value of %d bytes", len(d.Value))
	d.Value = nil
	if r = d.Record(w.Topic); w.Fits(r) {
		return r
	}
	d.Omitted += fmt.Sprintf(", key of %d bytes and %d headers", len(d.Key), len(d.Headers))
	d.Key, d.Headers = nil, nil
	return d.Record(w.Topic)
}

// exception is a name that stays when the code changes, where Kafka Connect has a class:
// Go's types tell a reader nothing.
func exception(why reason.Code) string { return "hookstream." + string(why) }

// message is an error in one line: errors that are joined have a line each.
func message(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
