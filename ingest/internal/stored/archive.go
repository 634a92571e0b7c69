// SPDX-License-Identifier: Apache-2.0

package stored

import (
	"context"
	"errors"
	"io"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/archive"
	"github.com/hookstream/hookstream/schemas/record"
)

// Archive holds records that were exported, as dlq export writes them.
type Archive struct{ Records []*kgo.Record }

// ReadArchive reads all lines; an error names the one that is wrong.
func ReadArchive(in io.Reader) (*Archive, error) {
	a := &Archive{}
	err := archive.Read(in, func(l *archive.Line) error {
		a.Records = append(a.Records, l.Record())
		return nil
	})
	if err == nil && len(a.Records) == 0 {
		err = errors.New("it holds no record")
	}
	return a, err
}

// Request is what the archive has of the records that w's request was split into,
// w among them.
func (a *Archive) Request(_ context.Context, _ string, w *record.Webhook) ([]*record.Webhook, error) {
	var all []*record.Webhook
	for _, rec := range a.Records {
		if other := partOf(rec, w); other != nil {
			all = append(all, other)
		}
	}
	return all, nil
}

// partOf is the webhook of rec, if it came in the same request as w. The same body
// may have been sent twice: the correlation id tells.
func partOf(rec *kgo.Record, w *record.Webhook) *record.Webhook {
	other, err := record.ParseWebhook(rec)
	if err != nil || other.Batch == nil || other.ReplayCount > 0 ||
		other.Batch.SHA256 != w.Batch.SHA256 || other.CorrelationID != w.CorrelationID {
		return nil
	}
	return other
}
