// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/alecthomas/kong"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/ingest/internal/edge"
	"github.com/hookstream/hookstream/ingest/internal/evidence"
	"github.com/hookstream/hookstream/ingest/internal/stored"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/outbound"
	"github.com/hookstream/hookstream/stage/service"
	"github.com/hookstream/hookstream/stage/terminal"
)

type verifyCommand struct {
	Topic     string `help:"Topic of the record, if it is not the raw topic." placeholder:"TOPIC"`
	Partition int32  `help:"Partition of the record." required:"" placeholder:"N"`
	Offset    int64  `help:"Offset of the record." required:"" placeholder:"N"`
	Output    string `short:"o" help:"Format: ${enum}." enum:"text,json" default:"text"`
	definitions
	secrets
	Outbound outbound.Mode `help:"Whether certificates and key sets may be fetched: off or keys." enum:"off,keys,all" default:"keys" env:"HOOKSTREAM_OUTBOUND"`
	Timeout  time.Duration `help:"How long to wait for Kafka." default:"30s"`
	Kafka    kafka.Config  `embed:"" group:"Kafka, as the service is configured:"`
}

// Help is shown below the usage.
func (*verifyCommand) Help() string {
	return `Puts the request together from the record (of a batch, from all its records), and
checks its signature with the configured secrets, as of the time at which it was
received. Dead letters of ingest's records can be checked too.

Examples:
  ingest verify-record --partition 3 --offset 1234
  ingest verify-record --topic hookstream.dlq --partition 0 --offset 7 -o json

Exit codes:
  0  verified: the request is what a configured secret signed
  1  not verified: it is not
  2  cannot tell: the record or the secret is gone, or the provider's scheme
     leaves nothing to check, as a token that is sent in the clear`
}

// The exit codes.
var exits = map[evidence.Outcome]service.Exit{evidence.Verified: 0, evidence.NotVerified: 1, evidence.CannotTell: 2}

// finding is the report.
type finding struct {
	Record     string           `json:"record"`
	Outcome    evidence.Outcome `json:"outcome"`
	Reason     string           `json:"reason,omitempty"`
	Tenant     string           `json:"tenant,omitempty"`
	Provider   string           `json:"provider,omitempty"`
	EventID    string           `json:"event_id,omitempty"`
	ReceivedAt string           `json:"received_at,omitempty"`
	// Scheme and KeyID are what verified it now, the others what the record
	// says of then.
	Scheme         string `json:"scheme,omitempty"`
	KeyID          string `json:"key_id,omitempty"`
	RecordedScheme string `json:"recorded_scheme,omitempty"`
	RecordedKeyID  string `json:"recorded_key_id,omitempty"`
	Batch          *batch `json:"batch,omitempty"`
}

// batch is the request that the record is a part of.
type batch struct {
	SHA256  string   `json:"sha256"`
	Index   int      `json:"index"`
	Count   int      `json:"count"`
	Records []string `json:"records"`
}

// Run reads, checks and reports.
func (c *verifyCommand) Run(ctx context.Context, k *kong.Context) error {
	if err := c.Kafka.Validate(); err != nil {
		return err
	}
	if c.Topic == "" {
		c.Topic = c.Kafka.Topics.Raw
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	at := record.Position{Topic: c.Topic, Partition: c.Partition, Offset: c.Offset}
	f := &finding{Record: at.String()}
	if err := c.check(ctx, at, f); err != nil {
		f.Outcome, f.Reason = evidence.CannotTell, err.Error()
	}
	var err error
	if c.Output == "json" {
		err = writeJSON(k.Stdout, f)
	} else {
		err = f.write(k.Stdout, terminal.PainterFor(k.Stdout))
	}
	if code := exits[f.Outcome]; err == nil && code != 0 {
		return code
	}
	return err
}

// check fills the finding in. An error is why it cannot tell.
func (c *verifyCommand) check(ctx context.Context, at record.Position, f *finding) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	reader, err := stored.NewReader(&c.Kafka, log)
	if err != nil {
		return err
	}
	defer reader.Close()
	rec, err := reader.Record(ctx, at)
	if err != nil {
		return err
	}
	w, err := record.ParseWebhook(rec)
	if err != nil {
		return fmt.Errorf("it is no record of ingest's: %w", err)
	}
	f.describe(w)
	def, err := c.find(w.Provider)
	if err != nil {
		return err
	}
	verifier, err := verify.Compile(def, verify.Trust{Fetcher: outbound.New(outbound.Config{Mode: c.Outbound})})
	if err != nil {
		return err
	}
	ring, err := c.keyring(def, verifier)
	if err != nil {
		return err
	}
	checker := evidence.NewChecker(def, verifier)
	records := []*record.Webhook{w}
	if checker.NeedsBatch(w) {
		if records, err = reader.Request(ctx, topicOf(rec), w); err != nil {
			return err
		}
	}
	f.batch(w, records)
	keys := ring.Keys(w.Tenant, w.Provider)
	if len(def.Identity.Tenant) > 0 && w.Tenant != edge.DefaultTenant {
		// The content may have named the tenant, and the path none.
		keys = append(keys[:len(keys):len(keys)], ring.Keys(edge.DefaultTenant, w.Provider)...)
	}
	verdict := checker.Check(ctx, w, records, keys)
	f.Outcome, f.Reason, f.Scheme, f.KeyID = verdict.Outcome, verdict.Reason, verdict.Scheme, verdict.KeyID
	return nil
}

// topicOf is where ingest wrote the record: a dead letter names it.
func topicOf(rec *kgo.Record) string {
	if topic, ok := header.List(rec.Headers).Get(header.ErrorTopic); ok {
		return topic
	}
	return rec.Topic
}

func (f *finding) describe(w *record.Webhook) {
	f.Tenant, f.Provider, f.EventID = w.Tenant, w.Provider, w.EventID
	f.ReceivedAt = w.ReceivedAt.Format(time.RFC3339Nano)
	f.RecordedScheme, f.RecordedKeyID = w.Verification.Scheme, w.Verification.KeyID
}

func (f *finding) batch(w *record.Webhook, records []*record.Webhook) {
	if w.Batch == nil {
		return
	}
	f.Batch = &batch{SHA256: hex.EncodeToString(w.Batch.SHA256[:]), Index: w.Batch.Index, Count: w.Batch.Count}
	for _, r := range records {
		f.Batch.Records = append(f.Batch.Records, r.Position.String())
	}
}

// write reports to a person.
func (f *finding) write(w io.Writer, p terminal.Painter) error {
	verdict := map[evidence.Outcome]string{
		evidence.Verified:    p.Text("verified", terminal.Green),
		evidence.NotVerified: p.Text("not verified", terminal.Red),
		evidence.CannotTell:  p.Text("cannot tell", terminal.Yellow),
	}[f.Outcome]
	text := f.Record + ": " + verdict
	if f.Outcome == evidence.Verified {
		text += fmt.Sprintf(": %s, key %s, as of %s", f.Scheme, f.KeyID, f.ReceivedAt)
	} else {
		text += ": " + f.Reason
	}
	if f.Provider != "" {
		text += fmt.Sprintf("\n%s %s of tenant %s", f.Provider, terminal.Clean(f.EventID), f.Tenant)
	}
	if f.RecordedScheme != "" {
		text += fmt.Sprintf(", verified when it came: %s, key %s", f.RecordedScheme, f.RecordedKeyID)
	}
	if f.Batch != nil {
		text += fmt.Sprintf("\nrecord %d of the %d of its request, SHA-256 %s", f.Batch.Index, f.Batch.Count, f.Batch.SHA256)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}
