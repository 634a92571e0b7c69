// SPDX-License-Identifier: Apache-2.0

package status

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/hookstream/hookstream/sink/internal/attempts"
)

// Text writes the report for a person: a summary, and the partitions of which there
// is something to say, or all of them.
func (r *Report) Text(w io.Writer, all bool) error {
	var b bytes.Buffer
	fmt.Fprintln(&b, r.summary())
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	headed := false
	for i := range r.Partitions {
		p := &r.Partitions[i]
		if !all && !p.remarkable() {
			continue
		}
		if !headed {
			headed = true
			fmt.Fprintln(t, "\nPARTITION\tLAG\tOLDEST\tDATABASE\tKAFKA\tEND\tEPOCH\tOWNER")
		}
		fmt.Fprintf(t, "%s/%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Topic, p.Partition, number(p.Lag), r.age(p.OldestUnapplied),
			optional(p.DatabaseOffset), optional(p.KafkaOffset), number(p.EndOffset), optional(p.Epoch), optional(p.Owner))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	r.retries(&b)
	for i := range r.Instances {
		r.Instances[i].text(&b, r.At)
	}
	for _, p := range r.Problems {
		fmt.Fprintln(&b, "could not ask:", clean(p))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// remarkable partitions are not simply up to date. What nobody answers about any of
// them is in the summary, and why is below.
func (p *Partition) remarkable() bool {
	return p.Lag.Value > 0 || p.Retry.Value != nil
}

func (r *Report) summary() string {
	var behind, retrying, lags, retries int
	var records int64
	var oldest *time.Time
	for i := range r.Partitions {
		p := &r.Partitions[i]
		if p.Lag.Value > 0 {
			behind++
			records += p.Lag.Value
		}
		if at := p.OldestUnapplied.Value; at != nil && (oldest == nil || at.Before(*oldest)) {
			oldest = at
		}
		if p.Retry.Value != nil {
			retrying++
		}
		if p.Lag.OK {
			lags++
		}
		if p.Retry.OK {
			retries++
		}
	}
	all := len(r.Partitions)
	text := fmt.Sprintf("group %s: %d partitions", r.Group, all)
	text += counted(lags, all, fmt.Sprintf("%d behind by %d records", behind, records), "how far")
	text += counted(retries, all, fmt.Sprintf("%d tried again", retrying), "whether tried again")
	if oldest != nil {
		text += fmt.Sprintf("; the oldest event that is not applied waits for %s", r.since(*oldest))
	}
	return text
}

// counted says what is known, and of how many partitions something is not.
func counted(known, all int, what, otherwise string) string {
	switch known {
	case all:
		return ", " + what
	case 0:
		return ", " + otherwise + " is " + unknown
	}
	return fmt.Sprintf(", %s (of %d it is %s)", what, all-known, unknown)
}

func (r *Report) retries(b *bytes.Buffer) {
	for i := range r.Partitions {
		retry := r.Partitions[i].Retry.Value
		if retry == nil {
			continue
		}
		fmt.Fprintf(b, "\n%s/%d: attempt %d failed, %s; since %s\n  %s\n", retry.Topic, retry.Partition, retry.Attempts, r.next(retry), retry.Since.Format(time.RFC3339), clean(retry.Reason))
	}
}

func (r *Report) next(retry *attempts.Retry) string {
	if retry.NextAttempt.IsZero() {
		return "the next is " + unknown
	}
	return fmt.Sprintf("the next is in %s", max(0, retry.NextAttempt.Sub(r.At).Round(100*time.Millisecond)))
}

func (i *Instance) text(b *bytes.Buffer, now time.Time) {
	switch last := i.State.Value.LastError; {
	case !i.State.OK:
		fmt.Fprintf(b, "\ninstance %s: what it tries again is unknown: %s\n", i.Address, clean(i.Error))
	case last != nil:
		fmt.Fprintf(b, "\ninstance %s: last error %s ago:\n  %s\n", i.Address, now.Sub(last.At).Round(time.Second), clean(last.Reason))
	}
}

func (r *Report) age(at Known[*time.Time]) string {
	switch {
	case !at.OK:
		return unknown
	case at.Value == nil:
		return "-"
	}
	return r.since(*at.Value)
}

func (r *Report) since(at time.Time) string {
	return max(0, r.At.Sub(at)).Round(time.Second).String()
}

func number(n Known[int64]) string {
	if !n.OK {
		return unknown
	}
	return strconv.FormatInt(n.Value, 10)
}

// optional is - for what is not there.
func optional[T any](v Known[*T]) string {
	switch {
	case !v.OK:
		return unknown
	case v.Value == nil:
		return "-"
	}
	return clean(fmt.Sprint(*v.Value))
}

// clean keeps what strangers chose from steering a terminal.
func clean(s string) string {
	printable := make([]rune, 0, len(s))
	for _, r := range s {
		if !unicode.IsPrint(r) {
			r = unicode.ReplacementChar
		}
		printable = append(printable, r)
	}
	return string(printable)
}
