// SPDX-License-Identifier: Apache-2.0

package record

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hookstream/hookstream/schemas/body"
	"github.com/hookstream/hookstream/schemas/header"
)

// Batch is one record's place in the request that it was split from.
type Batch struct {
	// SHA256 is that of the request's body, or of the JSON in it where it came
	// in a form's field.
	SHA256 [sha256.Size]byte
	// Index is this record's number, from 1, of Count.
	Index, Count int
	// Ranges and Gap are those of body.Item.
	Ranges []body.Range
	Gap    string
}

func (b *Batch) add(h *header.List) {
	h.Add(header.Batch, fmt.Sprintf("%x %d/%d", b.SHA256, b.Index, b.Count))
	ranges := make([]byte, 0, 16*len(b.Ranges))
	for i, r := range b.Ranges {
		if i > 0 {
			ranges = append(ranges, ',')
		}
		ranges = strconv.AppendInt(ranges, int64(r.Start), 10)
		ranges = append(ranges, '-')
		ranges = strconv.AppendInt(ranges, int64(r.End), 10)
	}
	h.Add(header.BatchRanges, string(ranges))
	if b.Gap != usualGap(b.Index) {
		h.Add(header.BatchGap, base64.StdEncoding.EncodeToString([]byte(b.Gap)))
	}
}

// usualGap is what need not be written.
func usualGap(index int) string {
	if index == 1 {
		return ""
	}
	return ","
}

// batch reads a record's place in its batch, or nil where it has none.
func (f *fields) batch() *Batch {
	place, ok := f.headers.Get(header.Batch)
	if !ok {
		return nil
	}
	b := &Batch{}
	if err := b.parsePlace(place); err != nil {
		f.fail(header.Batch, err)
		return nil
	}
	var err error
	if b.Ranges, err = parseRanges(f.optional(header.BatchRanges)); err != nil {
		f.fail(header.BatchRanges, err)
	}
	b.Gap = usualGap(b.Index)
	if text, ok := f.headers.Get(header.BatchGap); ok {
		gap, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			f.fail(header.BatchGap, errors.New("not base64"))
		}
		b.Gap = string(gap)
	}
	return b
}

func (f *fields) fail(name string, err error) {
	if f.err == nil {
		f.err = fmt.Errorf("header %s: %w", name, err)
	}
}

func (b *Batch) parsePlace(text string) error {
	failed := fmt.Errorf("%.100q is not <sha256> <i>/<n>", text)
	digest, place, _ := strings.Cut(text, " ")
	index, count, _ := strings.Cut(place, "/")
	if len(digest) != hex.EncodedLen(sha256.Size) {
		return failed
	}
	if _, err := hex.Decode(b.SHA256[:], []byte(digest)); err != nil {
		return failed
	}
	var err error
	if b.Index, err = strconv.Atoi(index); err != nil {
		return failed
	}
	if b.Count, err = strconv.Atoi(count); err != nil || b.Index < 1 || b.Count < b.Index {
		return failed
	}
	return nil
}

func parseRanges(text string) ([]body.Range, error) {
	var out []body.Range
	for piece := range strings.SplitSeq(text, ",") {
		first, last, _ := strings.Cut(piece, "-")
		start, errStart := strconv.Atoi(first)
		end, errEnd := strconv.Atoi(last)
		if errStart != nil || errEnd != nil || start < 0 || end < start {
			return nil, fmt.Errorf("%.40q is not <start>-<end>", piece)
		}
		out = append(out, body.Range{Start: start, End: end})
	}
	return out, nil
}

// Whole is the body of the request that a webhook came in, byte for byte, or the JSON
// in it where it came in a form's field and was split. It needs
// all the records that the request was split into, in any order and each once; a
// request that was not split is its own. The error says which record is missing.
func Whole(webhooks []*Webhook) ([]byte, error) {
	if len(webhooks) == 0 {
		return nil, errors.New("no record")
	}
	first := webhooks[0].Batch
	if first == nil {
		if len(webhooks) > 1 {
			return nil, errors.New("several records, the first of which is of no batch")
		}
		return webhooks[0].Body, nil
	}
	if first.Count > body.MaxItems {
		return nil, fmt.Errorf("a batch of %d records; there are never more than %d", first.Count, body.MaxItems)
	}
	items := make([]body.Item, first.Count)
	found := make([]bool, first.Count)
	for _, w := range webhooks {
		b := w.Batch
		if b == nil || b.SHA256 != first.SHA256 || b.Count != first.Count {
			return nil, fmt.Errorf("the record at %s is of another request than the first", w.Position)
		}
		found[b.Index-1] = true
		items[b.Index-1] = body.Item{Body: w.Body, Ranges: b.Ranges, Gap: b.Gap}
	}
	for i, ok := range found {
		if !ok {
			return nil, fmt.Errorf("record %d of the batch's %d is missing", i+1, first.Count)
		}
	}
	whole, err := body.Join(items)
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(whole) != first.SHA256 {
		return nil, errors.New("the records do not give the body whose SHA-256 they name")
	}
	return whole, nil
}
