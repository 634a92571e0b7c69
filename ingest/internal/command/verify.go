// SPDX-License-Identifier: Apache-2.0

package command

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
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
	File      string `help:"Records that dlq export wrote, instead of one in Kafka; - is standard input." placeholder:"FILE"`
	Topic     string `help:"Topic of the record, if it is not the raw topic." placeholder:"TOPIC"`
	Partition int32  `help:"Partition of the record." default:"-1" placeholder:"N"`
	Offset    int64  `help:"Offset of the record." default:"-1" placeholder:"N"`
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
received. Dead letters of ingest's records can be checked too. Of a file, every record
is checked, and no Kafka is needed.

Examples:
  ingest verify-record --partition 3 --offset 1234
  ingest verify-record --topic hookstream.dlq --partition 0 --offset 7 -o json
  dlq export | ingest verify-record --file -

Exit codes, of several records the worst:
  0  verified: the request is what a configured secret signed
  1  not verified: it is not
  2  cannot tell: the record or the secret is gone, or the provider's scheme
     leaves nothing to check, as a token that is sent in the clear`
}

// The exit codes.
var exits = map[evidence.Outcome]service.Exit{evidence.Verified: 0, evidence.NotVerified: 1, evidence.CannotTell: 2}

// worst are the outcomes, beginning with what matters most.
var worst = []evidence.Outcome{evidence.NotVerified, evidence.CannotTell, evidence.Verified}

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

// Validate checks that a record is named.
func (c *verifyCommand) Validate() error {
	named := c.Partition >= 0 && c.Offset >= 0
	switch {
	case c.File != "" && (c.Partition >= 0 || c.Offset >= 0 || c.Topic != ""):
		return errors.New("--file has the records; --topic, --partition and --offset are those of one in Kafka")
	case c.File == "" && !named:
		return errors.New("name a record, by --partition and --offset, or a --file of them")
	}
	return nil
}

// requests finds the other records of a record's request.
type requests interface {
	Request(ctx context.Context, topic string, w *record.Webhook) ([]*record.Webhook, error)
}

// Run reads, checks and reports.
func (c *verifyCommand) Run(ctx context.Context, k *kong.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if c.File != "" {
		return c.report(k, c.ofFile(ctx))
	}
	found, err := c.ofKafka(ctx)
	if err != nil {
		return err
	}
	return c.report(k, found)
}

// ofKafka checks the record that is named. That it cannot be read is a finding
// too.
func (c *verifyCommand) ofKafka(ctx context.Context) ([]*finding, error) {
	if err := c.Kafka.Validate(); err != nil {
		return nil, err
	}
	at := record.Position{Topic: cmp.Or(c.Topic, c.Kafka.Topics.Raw), Partition: c.Partition, Offset: c.Offset}
	reader, err := stored.NewReader(&c.Kafka, slog.New(slog.DiscardHandler)) // the error is told once
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	rec, err := reader.Record(ctx, at)
	if err != nil {
		return []*finding{{Record: at.String(), Outcome: evidence.CannotTell, Reason: err.Error()}}, nil
	}
	return []*finding{c.examine(ctx, rec, reader)}, nil
}

// ofFile checks every record of the file. That it cannot be read is a finding too.
func (c *verifyCommand) ofFile(ctx context.Context) []*finding {
	archive, err := c.archive()
	if err != nil {
		return []*finding{{Record: c.File, Outcome: evidence.CannotTell, Reason: err.Error()}}
	}
	var found []*finding
	for _, rec := range archive.Records {
		found = append(found, c.examine(ctx, rec, archive))
	}
	return found
}

func (c *verifyCommand) archive() (*stored.Archive, error) {
	if c.File == "-" {
		return stored.ReadArchive(os.Stdin)
	}
	f, err := os.Open(c.File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return stored.ReadArchive(f)
}

func (c *verifyCommand) report(k *kong.Context, found []*finding) error {
	outcomes := map[evidence.Outcome]bool{}
	for _, f := range found {
		outcomes[f.Outcome] = true
		var err error
		if c.Output == "json" {
			err = writeJSON(k.Stdout, f)
		} else {
			err = f.write(k.Stdout, terminal.PainterFor(k.Stdout))
		}
		if err != nil {
			return err
		}
	}
	for _, o := range worst {
		if code := exits[o]; outcomes[o] && code != 0 {
			return code
		}
	}
	return nil
}

// examine is what is found of one record.
func (c *verifyCommand) examine(ctx context.Context, rec *kgo.Record, others requests) *finding {
	at := record.Position{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}
	f := &finding{Record: at.String()}
	if err := c.check(ctx, rec, others, f); err != nil {
		f.Outcome, f.Reason = evidence.CannotTell, err.Error()
	}
	return f
}

// check fills the finding in. An error is why it cannot tell.
func (c *verifyCommand) check(ctx context.Context, rec *kgo.Record, others requests, f *finding) error {
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
		if records, err = others.Request(ctx, topicOf(rec), w); err != nil {
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
