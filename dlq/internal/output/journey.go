// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/journey"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/correlation"
	"github.com/hookstream/hookstream/stage/terminal"
)

// Journeys writes a report for a person, in 80 columns: one block an event, one
// below it for each delivery, one line or more a hop.
func Journeys(w io.Writer, r *journey.Report, color terminal.Painter) error {
	j := &journeys{color: color}
	for i, e := range r.Events {
		if i > 0 {
			j.b.WriteByte('\n')
		}
		j.event(e)
	}
	for i, u := range r.Unknown {
		name := "\nUnknown: "
		if i > 0 {
			name = "         "
		}
		fmt.Fprintf(&j.b, "%s%s\n", name, wrap(terminal.Clean(u), 80-9, "         "))
	}
	if r.More > 0 {
		fmt.Fprintf(&j.b, "\n%s more; --limit shows more, --since, --until and --provider fewer\n", Number(r.More))
	}
	_, err := w.Write(j.b.Bytes())
	return err
}

type journeys struct {
	b     bytes.Buffer
	color terminal.Painter
}

func (j *journeys) status(s journey.Status) string {
	sgr := terminal.Yellow
	switch s {
	case journey.Applied, journey.Superseded:
		sgr = terminal.Green
	case journey.DeadLettered, journey.Conflict:
		sgr = terminal.Red
	case journey.Stale, journey.Duplicate, journey.Dropped, journey.Discarded:
		sgr = terminal.Dim
	}
	return j.color.Text(terminal.Clean(string(s)), sgr)
}

func (j *journeys) event(e *journey.Journey) {
	fmt.Fprintf(&j.b, "%s  %s\n", j.color.Text(wrap(terminal.Clean(e.EventID), 80, ""), terminal.Bold), j.status(e.Status))
	about := func(name, text string) {
		fmt.Fprintf(&j.b, "  %-12s %s\n", name, wrap(text, 80-15, strings.Repeat(" ", 15)))
	}
	about("event", orDash(e.Provider)+" "+orDash(e.EventType)+" of tenant "+orDash(e.Tenant))
	about("key", orDash(e.BusinessKey))
	about("fingerprint", e.Fingerprint)
	if e.OccurredAt != nil {
		about("occurred", moment(*e.OccurredAt))
	}
	if e.RequestToRowSeconds != nil {
		about("to the row", duration(*e.RequestToRowSeconds)+" after the request")
	}
	hidden := 0
	for i, d := range e.Deliveries {
		if i >= maxDuplicates && d.Status == journey.Duplicate {
			hidden++
			continue
		}
		j.delivery(d, len(e.Deliveries))
	}
	if hidden > 0 {
		fmt.Fprintf(&j.b, "\n%s more deliveries are duplicates; -o json has them\n", Number(hidden))
	}
	if next := advice(e); next != "" {
		fmt.Fprintf(&j.b, "\nNext: %s\n", next)
	}
}

// maxDuplicates is how many deliveries are shown that changed nothing.
const maxDuplicates = 5

// advice is what to do about an event that is stuck.
func advice(e *journey.Journey) string {
	for _, d := range e.Deliveries {
		if d.Status != journey.DeadLettered && d.Status != journey.Conflict {
			continue
		}
		for i := len(d.Hops) - 1; i >= 0; i-- {
			if letter := d.Hops[i].DeadLetterDetails; letter != nil {
				return "dlq show " + terminal.Clean(letter.DeadLetter)
			}
		}
	}
	return ""
}

func (j *journeys) delivery(d *journey.Delivery, of int) {
	fmt.Fprintf(&j.b, "\nDelivery %d of %d: %s\n", d.Number, of, j.status(d.Status))
	var day string
	for _, h := range d.Hops {
		at := ""
		if h.At != nil {
			if today := h.At.Format(time.DateOnly); today != day {
				fmt.Fprintf(&j.b, "%s UTC\n", j.color.Text(today, terminal.Dim))
				day = today
			}
			at = h.At.Format("15:04:05.000")
		}
		j.hop(at, d, h)
	}
}

// The columns of a hop: time, time since the hop before, kind, and text, which
// is as wide as a correlation id with its name.
const (
	hopFormat = "%12s %7s  %s %s\n"
	hopIndent = 12 + 1 + 7 + 2 + kindWidth + 1
	kindWidth = 9
)

func (j *journeys) hop(at string, d *journey.Delivery, h *journey.Hop) {
	after := ""
	if h.AfterSeconds != nil {
		after = "+" + duration(*h.AfterSeconds)
		if *h.AfterSeconds < 0 {
			after = duration(*h.AfterSeconds)
		}
	}
	indent := strings.Repeat(" ", hopIndent)
	lines := hopLines(d, h)
	for i, line := range lines {
		lines[i] = wrap(line, 80-hopIndent, indent)
	}
	kind := j.color.Text(fmt.Sprintf("%-*s", kindWidth, kindOf(h)), kindColor(h))
	fmt.Fprintf(&j.b, hopFormat, at, after, kind, strings.Join(lines, "\n"+indent))
}

func kindOf(h *journey.Hop) string {
	switch h.Kind {
	case journey.DeadLetter:
		return "failed"
	case journey.SinkReplay:
		return "event"
	case journey.Drop:
		return "no event"
	case journey.Resolution:
		return fit(terminal.Clean(string(h.Action)), kindWidth)
	}
	return string(h.Kind)
}

func kindColor(h *journey.Hop) terminal.SGR {
	switch h.Kind {
	case journey.DeadLetter:
		return terminal.Red
	case journey.Row:
		return terminal.Green
	case journey.Hold, journey.Waiting, journey.Unclear:
		return terminal.Yellow
	}
	return terminal.Bold
}

func holdLines(h *journey.Hop) []string {
	lines := []string{fmt.Sprintf("%s holds it until its definition is corrected", h.Stage), terminal.Clean(cut(h.Because))}
	if h.HeldFor != "" {
		lines[0] += ": " + terminal.Clean(string(h.HeldFor))
	}
	return lines
}

// hopLines are what is told about a hop; no word of it is made up here.
func hopLines(d *journey.Delivery, h *journey.Hop) []string {
	var lines []string
	switch h.Kind {
	case journey.Request:
		lines = requestLines(d, h.RequestDetails)
	case journey.Raw:
		lines = []string{recordLine(h)}
	case journey.Event, journey.SinkReplay:
		lines = eventLines(h)
	case journey.DeadLetter:
		lines = []string{fmt.Sprintf("%s gave it up: %s, %s", h.Stage, terminal.Clean(string(h.Reason)), plural(h.Attempts, "attempt")), terminal.Clean(cut(h.Message)), terminal.Clean(h.DeadLetter)}
	case journey.Resolution:
		lines = resolutionLines(h.ResolutionDetails)
	case journey.Row:
		lines = rowLines(h)
	case journey.Repeat:
		lines = []string{repeatLine(h)}
	case journey.Drop:
		lines = []string{"its definition makes none of this type"}
	case journey.Hold:
		lines = holdLines(h)
	case journey.Waiting:
		lines = []string{fmt.Sprintf("for %s, which is %s away", h.Stage, plural(int(*h.Behind), "record"))}
	default:
		lines = []string{terminal.Clean(h.Note)}
	}
	if h.TraceID != "" {
		lines = append(lines, traceLine("new trace", h.TraceID, h.TraceURL))
	}
	return lines
}

func requestLines(d *journey.Delivery, r *journey.RequestDetails) []string {
	verified := "verified by " + orUnknown(r.Verification)
	if r.VerificationKey != "" {
		verified += ", key " + terminal.Clean(r.VerificationKey)
	}
	lines := []string{"from " + orUnknown(r.Remote), verified}
	if r.BatchCount > 0 {
		lines = append(lines, fmt.Sprintf("%d of the %d webhooks in it", r.BatchIndex, r.BatchCount))
	}
	if r.Defect != "" {
		lines = append(lines, "stored with the defect "+terminal.Clean(string(r.Defect)))
	}
	lines = append(lines, "correlation "+orUnknown(d.CorrelationID))
	if d.TraceID != "" {
		lines = append(lines, traceLine("trace", d.TraceID, d.TraceURL))
	}
	return lines
}

// traceLine has the link, where one was asked for; the id is at its end.
func traceLine(what, id, link string) string {
	if link != "" {
		return what + " " + terminal.Clean(link)
	}
	return what + " " + terminal.Clean(id)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return terminal.Clean(s)
}

func recordLine(h *journey.Hop) string {
	line := terminal.Clean(h.Position.String())
	if h.Bytes != nil {
		line += ", " + Number(*h.Bytes) + " bytes"
	}
	if h.ReplayCount > 0 {
		line += fmt.Sprintf(", replay %d", h.ReplayCount)
	}
	if h.EditedBy != "" {
		line += ", edited by " + terminal.Clean(h.EditedBy)
	}
	if h.Gone {
		line += "; no longer kept"
	}
	return line
}

func eventLines(h *journey.Hop) []string {
	lines := []string{recordLine(h)}
	if h.EventDetails == nil {
		return lines
	}
	line := terminal.Clean(h.Entity + " " + h.EntityID)
	if h.Version != nil {
		line += fmt.Sprintf(", by revision %d", h.Version.Revision)
	}
	lines = append(lines, line)
	return append(lines, transactionLines(h.EventDetails)...)
}

// transactionLines name the transaction, or where its record does not, whose it was.
func transactionLines(e *journey.EventDetails) []string {
	switch t := e.Transaction; {
	case e.TransactionID != "":
		return []string{"tx " + terminal.Clean(e.TransactionID)}
	case t == nil:
		return nil
	case t.ID != "":
		return []string{fmt.Sprintf("tx of %s, epoch %d", terminal.Clean(t.ID), t.ProducerEpoch)}
	default:
		return []string{fmt.Sprintf("tx of producer %d, epoch %d", t.ProducerID, t.ProducerEpoch)}
	}
}

func resolutionLines(r *journey.ResolutionDetails) []string {
	by := "by " + terminal.Clean(r.By) + because(r.Why)
	lines := []string{by}
	if r.Action == record.Replayed {
		lines = append(lines, "to "+terminal.Clean(r.Target)+", run "+orDash(r.ReplayID))
	}
	if r.Edit != nil {
		lines = append(lines, "with another payload:")
		for line := range strings.Lines(cut(r.Edit.Diff)) {
			lines = append(lines, terminal.Clean(strings.TrimRight(line, "\n")))
		}
	}
	return lines
}

func rowLines(h *journey.Hop) []string {
	what := map[journey.Status]string{
		journey.Applied: "applied to", journey.Superseded: "superseded, in its batch, for", journey.Stale: "stale, the row was newer:",
	}[h.Outcome]
	if h.Deleted {
		what += " (deletion)"
	}
	v := h.RowVersion
	lines := []string{
		what + " " + terminal.Clean(h.Entity+" "+h.EntityID),
		fmt.Sprintf("version %d/%d/%d, revision %d", v.Order, v.Generation, v.Offset, v.Revision),
	}
	if h.Attempt > 0 {
		lines = append(lines, fmt.Sprintf("attempt %d of the sink", h.Attempt))
	}
	if n := h.Newest; n != nil {
		lines = append(lines, fmt.Sprintf("newer was %s of %s", terminal.Clean(n.EventID), moment(n.AppliedAt)))
	}
	return lines
}

func repeatLine(h *journey.Hop) string {
	by := "transform had accepted"
	if h.Stage == record.StageSink {
		by = "the ledger had"
	}
	switch {
	case h.Of > 0:
		return fmt.Sprintf("%s delivery %d; nothing changed", by, h.Of)
	case h.AcceptedAt != nil:
		return fmt.Sprintf("%s the event at %s; nothing changed", by, moment(*h.AcceptedAt))
	}
	return by + " the event before; nothing changed"
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") + " UTC" }

// duration is a time in seconds for a person, in eight characters at most.
func duration(s float64) string {
	if s < 0 {
		return "-" + duration(-s)
	}
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1fms", s*1e3)
	case d < time.Second:
		return fmt.Sprintf("%.0fms", s*1e3)
	case d < time.Minute:
		return fmt.Sprintf("%.2fs", s)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}

// NotFound says how far was looked, and where else the id may be.
func NotFound(w io.Writer, r *journey.Report) {
	looked(w, &r.Searched)
	if len(r.Similar) > 0 {
		fmt.Fprintln(w, "Events whose ids begin so:")
		for _, id := range r.Similar {
			fmt.Fprintf(w, "  %s\n", terminal.Clean(id))
		}
		return
	}
	if correlation.WellFormed(r.ID) {
		fmt.Fprintf(w, "A request that ingest refused is on no topic; if this is its correlation id, look in\ningest's log:\n  grep -F '\"correlation_id\":\"%s\"'\n", r.ID)
	}
}

func looked(w io.Writer, s *journey.Searched) {
	span := "from the beginning"
	if s.Since != nil {
		span = "from " + moment(*s.Since)
	}
	if s.Until != nil {
		span += " to " + moment(*s.Until)
	}
	fmt.Fprintf(w, "looked through %s records, %s:\n", Number(int(s.Records)), span)
	empty := 0
	for _, t := range s.Topics {
		if t.Records == 0 {
			empty++
			continue
		}
		fmt.Fprintf(w, "  %-36s %10s in %s\n", terminal.Clean(t.Topic), Number(int(t.Records)), plural(t.Partitions, "partition"))
	}
	if empty > 0 {
		fmt.Fprintf(w, "  and %s without a record of that time\n", plural(empty, "topic"))
	}
	ledger := "through the sink's ledger too"
	switch {
	case s.LedgerError != "":
		ledger = "not through the ledger, which could not be asked: " + wrap(terminal.Clean(s.LedgerError), 80-2, "  ")
	case !s.Ledger:
		ledger = "not through the ledger: set HOOKSTREAM_DATABASE_URL"
	}
	fmt.Fprintf(w, "  %s\n", ledger)
}
