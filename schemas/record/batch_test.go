// SPDX-License-Identifier: Apache-2.0

package record

import (
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/schemas/body"
	"github.com/hookstream/hookstream/schemas/header"
)

const batchBody = "{\"sent\": 1.0, \"events\": [ {\"id\":1} ,\n{\"id\":2},{\"id\":3}]}"

// batch is one request as ingest stores it and transform reads it back.
func batch(t *testing.T, text string) []*Webhook {
	t.Helper()
	items, err := body.NewBatch([]string{"events.*"}).Split([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var out []*Webhook
	for i, item := range items {
		w := webhook()
		w.Body = item.Body
		w.Batch = &Batch{SHA256: sha256.Sum256([]byte(text)), Index: i + 1, Count: len(items), Ranges: item.Ranges, Gap: item.Gap}
		read, err := ParseWebhook(at(w.Record("raw"), 1, int64(i)))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, read)
	}
	return out
}

func TestWholeRequestFromItsRecords(t *testing.T) {
	records := batch(t, batchBody)
	if len(records) != 3 {
		t.Fatalf("split into %d", len(records))
	}
	slices.Reverse(records)
	if whole, err := Whole(records); err != nil || string(whole) != batchBody {
		t.Errorf("got %s, %v", whole, err)
	}
	single := []*Webhook{webhook()}
	if whole, err := Whole(single); err != nil || string(whole) != string(single[0].Body) {
		t.Errorf("got %s, %v", whole, err)
	}
}

func TestWholeSaysWhatIsWrong(t *testing.T) {
	cases := map[string]struct {
		change func([]*Webhook) []*Webhook
		want   string
	}{
		"none":            {func([]*Webhook) []*Webhook { return nil }, "no record"},
		"missing":         {func(w []*Webhook) []*Webhook { return w[1:] }, "record 1 of the batch's 3 is missing"},
		"twice":           {func(w []*Webhook) []*Webhook { return []*Webhook{w[0], w[1], w[1]} }, "record 3 of the batch's 3 is missing"},
		"another request": {func(w []*Webhook) []*Webhook { w[2].Batch.SHA256[0]++; return w }, "raw/1/2 is of another request"},
		"no batch":        {func(w []*Webhook) []*Webhook { w[2].Batch = nil; return w }, "raw/1/2 is of another request"},
		"several, none":   {func(w []*Webhook) []*Webhook { w[0].Batch = nil; return w }, "of no batch"},
		"changed":         {func(w []*Webhook) []*Webhook { w[1].Body[len(w[1].Body)-4]++; return w }, "SHA-256"},
		"cut":             {func(w []*Webhook) []*Webhook { w[1].Body = w[1].Body[1:]; return w }, "ranges of"},
		"gap":             {func(w []*Webhook) []*Webhook { w[1].Batch.Gap = "" + w[1].Batch.Gap + " "; return w }, "gaps"},
		"absurd count":    {func(w []*Webhook) []*Webhook { w[0].Batch.Count = 1 << 40; return w }, "never more than"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Whole(c.change(batch(t, batchBody)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestBatchHeadersThatIngestDidNotWrite(t *testing.T) {
	digest := strings.Repeat("ab", sha256.Size)
	for name, bad := range map[string][2]string{
		"empty":       {header.Batch, ""},
		"no place":    {header.Batch, digest},
		"digest":      {header.Batch, "xy" + digest[2:] + " 1/2"},
		"short":       {header.Batch, "ab 1/2"},
		"from 0":      {header.Batch, digest + " 0/2"},
		"beyond":      {header.Batch, digest + " 3/2"},
		"no ranges":   {header.BatchRanges, ""},
		"backwards":   {header.BatchRanges, "5-2"},
		"negative":    {header.BatchRanges, "-1-2"},
		"gap, base64": {header.BatchGap, "*"},
	} {
		r := batchedWebhook().Record("raw")
		h := header.List(r.Headers)
		h.Set(bad[0], bad[1])
		r.Headers = h
		if w, err := ParseWebhook(r); err == nil || !strings.Contains(err.Error(), bad[0]) {
			t.Errorf("%s: got %+v, %v", name, w, err)
		}
	}
}
