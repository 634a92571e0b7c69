// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/indent"
	"github.com/hookstream/hookstream/dlq/internal/outcome"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/terminal"
)

// maxPayload is how much of a payload is printed; -o json has all of it.
const maxPayload = 64 << 10

// Show writes one dead letter for a person to read.
func Show(w io.Writer, f *Full) error {
	var b bytes.Buffer
	field := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-13s %s\n", name, wrap(fmt.Sprintf(format, args...), 80-14, strings.Repeat(" ", 14)))
	}
	field("Dead letter", "%s", terminal.Clean(f.ID))
	field("Status", "%s", status(&f.Letter))
	field("Reason", "%s", terminal.Clean(string(f.Reason)))
	for _, i := range reason.All() {
		if i.Code == f.Reason {
			field("", "%s", i.Meaning)
			field("What to do", "%s", i.Act)
		}
	}
	field("Message", "%s", terminal.Clean(f.Message))
	field("Similar", "%s", similar(f))
	field("Failed", "%s, %s, after %s (%s)", terminal.Clean(string(f.Stage)), second(f.FailedAt)+" UTC", plural(f.Attempts, "attempt"), terminal.Clean(f.Class))
	field("", "%s, version %s", orDash(f.Exception), orDash(f.ServiceVersion))
	field("Event", "%s %s", orDash(f.Provider), orDash(f.EventType))
	field("", "%s, tenant %s", orDash(f.EventID), orDash(f.Tenant))
	field("Key", "%s", orDash(f.Key))
	field("Correlation", "%s", orDash(f.CorrelationID))
	field("Trace", "%s", orDash(f.TraceID))
	field("Came from", "%s", place(f.Failed))
	if f.Origin != nil {
		field("", "first written to %s", place(*f.Origin))
	}
	field("Lies at", "%s", place(f.DeadLetter))
	field("Replayed", "%s before", plural(f.ReplayCount, "time"))
	field("A replay", "%s", terminal.Clean(f.Replay))
	if f.Omitted != "" {
		field("Left out", "%s, too large for the dead letter; still where it came from, as long as that topic keeps it", terminal.Clean(f.Omitted))
	}
	b.WriteString("\nHeaders\n")
	for _, h := range f.Headers {
		fmt.Fprintf(&b, "  %s: %s\n", terminal.Clean(h.Name), terminal.Clean(h.Value))
	}
	f.payload(&b)
	_, err := w.Write(b.Bytes())
	return err
}

func status(l *Letter) string {
	r := l.Resolution
	if r == nil {
		return l.Status
	}
	if r.Action == record.Reopened {
		return fmt.Sprintf("open; the discard was taken back by %s at %s%s", terminal.Clean(r.By), r.At.Format(time.RFC3339), because(r.Why))
	}
	s := fmt.Sprintf("%s by %s at %s", terminal.Clean(string(r.Action)), terminal.Clean(r.By), r.At.Format(time.RFC3339))
	if r.Target != "" {
		s += " to " + terminal.Clean(r.Target)
	}
	if r.ReplayID != "" {
		s += ", replay " + terminal.Clean(r.ReplayID)
	}
	if r.RunID != "" {
		s += ", run " + terminal.Clean(r.RunID)
	}
	return s + because(r.Why) + ended(l.Outcome)
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + terminal.Clean(why)
}

// ended says what became of a replay.
func ended(o *outcome.Outcome) string {
	if o == nil {
		return ""
	}
	switch o.State {
	case outcome.Succeeded:
		return "; it succeeded"
	case outcome.Duplicate:
		return "; it was a duplicate: the ledger has the event from another delivery"
	case outcome.FailedAgain:
		return "; it failed again as " + terminal.Clean(o.Again)
	case outcome.Pending:
		return "; pending: neither the ledger nor a dead letter has it yet"
	}
	if o.Why != "" {
		return "; what became of it is unknown: " + o.Why
	}
	return "; what became of it is unknown without HOOKSTREAM_DATABASE_URL"
}

// similar says how many more failed alike.
func similar(f *Full) string {
	s := f.Similar
	if s.Count == 0 {
		return "none; its fingerprint is " + f.Fingerprint
	}
	ids := make([]string, len(s.Newest))
	for i, id := range s.Newest {
		ids[i] = terminal.Clean(id)
	}
	return fmt.Sprintf("%s more with fingerprint %s, %s open, for example %s", Number(s.Count), f.Fingerprint, Number(s.Open), strings.Join(ids, " "))
}

func place(p Position) string {
	return fmt.Sprintf("%s, partition %d, offset %d", terminal.Clean(p.Topic), p.Partition, p.Offset)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// payload writes JSON indented, text as it is, and of binary only what it is.
func (f *Full) payload(b *bytes.Buffer) {
	fmt.Fprintf(b, "\nPayload, %s bytes\n", Number(f.PayloadBytes))
	switch {
	case f.Payload == nil && f.PayloadBase64 == nil:
		b.WriteString("  not shown\n")
	case f.contentType() == record.AvroContentType:
		fmt.Fprintf(b, "  %s\n", avro(f.value()))
	case f.Payload == nil:
		b.WriteString("  binary; -o json has it in base64\n")
	default:
		text := indented(*f.Payload)
		if len(text) > maxPayload {
			text = text[:maxPayload] + "\n… cut here; -o json has all of it"
		}
		fmt.Fprintf(b, "  %s\n", strings.ReplaceAll(terminal.CleanLines(strings.ToValidUTF8(text, "")), "\n", "\n  "))
	}
}

func (f *Full) value() []byte {
	if f.Payload != nil {
		return []byte(*f.Payload)
	}
	return f.PayloadBase64
}

func (f *Full) contentType() string {
	for _, h := range f.Headers {
		if h.Name == "content-type" {
			return h.Value
		}
	}
	return ""
}

// indented is text indented if it is JSON, and unchanged if not.
func indented(text string) string {
	if pretty, ok := indent.JSON([]byte(text)); ok {
		return string(pretty)
	}
	return text
}

// avro describes a value in the schema registry's wire format: a zero byte, the
// schema id in four bytes, Avro binary.
func avro(value []byte) string {
	if len(value) < 5 || value[0] != 0 {
		return "says it is Avro, but is not in the schema registry's wire format: " + base64.StdEncoding.EncodeToString(value[:min(len(value), 48)])
	}
	return fmt.Sprintf("Avro, schema id %d; decode it with the registry, -o json has it in full", binary.BigEndian.Uint32(value[1:5]))
}
