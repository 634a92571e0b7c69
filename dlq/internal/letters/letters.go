// SPDX-License-Identifier: Apache-2.0

// Package letters reads the dead-letter topic.
package letters

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/pattern"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/stage/kafka"
)

// Letter is a dead letter and where it lies.
type Letter struct {
	*record.DeadLetter
	// ID is DeadLetter.ID, which names the failure.
	ID string
	// Digest is DigestOf(ID).
	Digest Digest
	// At is the dead letter's own position in the dead-letter topic.
	At record.Position
	// Raw is the dead letter as it was read.
	Raw *kgo.Record
}

// At is where r was read from.
func At(r *kgo.Record) record.Position { return record.PositionOf(r) }

// Parse reads a record of a dead-letter topic: Hookstream's, or one of another
// program whose headers are known.
func Parse(r *kgo.Record) (*Letter, error) {
	d, err := record.ParseDeadLetter(r)
	if err != nil {
		other, ok := parseOther(r)
		if !ok {
			return nil, err
		}
		d = other
	}
	id := d.ID()
	return &Letter{DeadLetter: d, ID: id, Digest: DigestOf(id), At: At(r), Raw: r}, nil
}

// Pattern is the failure's message without what differs from record to record,
// or the kind of exception where there is no message.
func (l *Letter) Pattern() string { return pattern.Of(cmp.Or(l.Message, l.Exception)) }

// Fingerprint names the failures that are the same one: of one stage, provider,
// event type, reason and pattern.
func (l *Letter) Fingerprint() string { return l.FingerprintOf(l.Pattern()) }

// FingerprintOf is Fingerprint, for a caller that has the pattern already.
func (l *Letter) FingerprintOf(p string) string {
	return pattern.Fingerprint(string(l.Stage), l.Provider(), l.EventType(), string(l.Reason), p)
}

// Tenant of the failed record, or "".
func (l *Letter) Tenant() string { return l.header(header.Tenant) }

// Provider of the failed record, or "".
func (l *Letter) Provider() string { return l.header(header.Provider) }

// EventType is the provider's type of the event, or "".
func (l *Letter) EventType() string { return l.header(header.Type) }

// EventID is the provider's id of the event, or "".
func (l *Letter) EventID() string { return l.header(header.ID) }

// ContentType of the payload, or "".
func (l *Letter) ContentType() string { return l.header(header.ContentType) }

// CorrelationID of the failed record, or "".
func (l *Letter) CorrelationID() string { return l.header(header.CorrelationID) }

// TraceID is the 32 hexadecimal digits in the failed record's traceparent, or
// "" (W3C Trace Context, version-traceid-parentid-flags).
func (l *Letter) TraceID() string {
	parts := strings.Split(l.header(header.TraceParent), "-")
	if len(parts) < 4 || len(parts[1]) != 32 {
		return ""
	}
	return parts[1]
}

// BusinessKey is the record key without tenant and provider, or the whole key
// where it is not of that form.
func (l *Letter) BusinessKey() string {
	_, _, id, err := topic.ParseKey(l.Key)
	if err != nil {
		return string(l.Key)
	}
	return id
}

func (l *Letter) header(name string) string {
	v, _ := l.Headers.Get(name)
	return v
}

// Foreign is told of what is left out: a record that is no dead letter of
// Hookstream's, or with an UndecidedError where the rest of a partition is not
// decided yet.
type Foreign func(at record.Position, err error)

// UndecidedError is that records are behind an open transaction.
type UndecidedError struct {
	// Records is how many at most; Kafka's own are among them.
	Records int64
}

// Error says so.
func (e UndecidedError) Error() string {
	return fmt.Sprintf("%d records are behind an open transaction", e.Records)
}

// Read gives each every dead letter that is in the topic now, in order within a
// partition. Partitions selects some; none means all. What a transaction has in
// hand is waited for for a second: it may be that of a process that died. Copies
// of one failure, left by a crash between dead-lettering and commit, are given
// once. Letters are not kept: memory grows by 16 bytes a letter, to know the copies.
func Read(ctx context.Context, cfg *kafka.Config, log *slog.Logger, partitions []int32, foreign Foreign, each func(*Letter) error) error {
	seen := map[Digest]struct{}{}
	undecided := func(r kafka.Range) {
		foreign(record.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.From}, UndecidedError{r.To - r.From})
	}
	return cfg.ReadDecided(ctx, "hookstream-dlq", log, kafka.Partitions{cfg.Topics.DeadLetters: partitions}, undecided, func(r *kgo.Record) error {
		if err := ctx.Err(); err != nil { // each may take long with what it is given
			return err
		}
		l, err := Parse(r)
		if err != nil {
			foreign(At(r), err)
			return nil
		}
		if seenBefore(seen, l.Digest) {
			return nil
		}
		return each(l)
	})
}

// IsID reports whether a text may be the ID of a dead letter:
// stage:topic/partition/offset.
func IsID(text string) bool { return strings.Count(text, "/") == 2 && strings.Contains(text, ":") }

// Digest stands for an ID where many are kept.
type Digest [16]byte

// DigestOf is SHA-256 cut to 128 bits: IDs hold names that others choose.
func DigestOf(id string) Digest {
	sum := sha256.Sum256([]byte(id))
	return Digest(sum[:16])
}

func seenBefore(seen map[Digest]struct{}, d Digest) bool {
	if _, ok := seen[d]; ok {
		return true
	}
	seen[d] = struct{}{}
	return false
}
