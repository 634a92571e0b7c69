// SPDX-License-Identifier: Apache-2.0

package journey

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/kafka"
)

// offsetsOf are how far a stage has come, by topic and partition: the next
// offset that it will work on.
type offsetsOf map[string]map[int32]int64

// stages are how far transform and the sink had come before anything was read,
// so that what they had done by then is there to be read.
type stages struct {
	transform, sink offsetsOf
	// database says that the ledger answered, and unread that it should have.
	database, unread bool
}

// done reports whether the stage is past a record. Behind is how many records
// it has to work on before it is.
func (o offsetsOf) done(at record.Position) (done bool, behind int64) {
	next, ok := o[at.Topic][at.Partition]
	if !ok {
		return false, at.Offset + 1
	}
	return next > at.Offset, max(0, at.Offset+1-next)
}

func (s *Search) stages(ctx context.Context) (stages, error) {
	var st stages
	var err error
	if st.transform, err = s.committed(ctx, s.TransformGroup); err != nil {
		return st, err
	}
	if s.Ledger != nil {
		// The database is what counts; Kafka is told afterwards.
		if st.sink, err = s.Ledger.offsets(ctx, s.SinkGroup); err == nil {
			return st, nil
		}
		if err = s.withoutLedger(ctx, err); err != nil {
			return st, err
		}
	}
	st.sink, err = s.committed(ctx, s.SinkGroup)
	return st, err
}

// committed are a consumer group's offsets in Kafka.
func (s *Search) committed(ctx context.Context, group string) (offsetsOf, error) {
	responses, err := s.admin.FetchOffsets(ctx, group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return offsetsOf{}, nil // the stage never ran
	}
	if err != nil {
		return nil, kafka.Classify(fmt.Errorf("read the offsets of group %s: %w", group, err))
	}
	out := offsetsOf{}
	for topic, partitions := range responses.Offsets() {
		out[topic] = map[int32]int64{}
		for p, o := range partitions {
			out[topic][p] = o.At
		}
	}
	return out, nil
}

// transactionalIDs asks the broker who its producer ids are. It knows those of
// recent transactions, so what it does not answer is left out.
func (s *Search) transactionalIDs(ctx context.Context, report *Report) {
	var used []*Transaction
	ids := map[int64]string{}
	report.eachHop(func(h *Hop) {
		if h.EventDetails != nil && h.Transaction != nil {
			used = append(used, h.Transaction)
			ids[h.Transaction.ProducerID] = ""
		}
	})
	if len(ids) == 0 {
		return
	}
	asked := make([]int64, 0, len(ids))
	for id := range ids {
		asked = append(asked, id)
	}
	listed, err := s.admin.ListTransactions(ctx, asked, nil)
	if err != nil {
		return
	}
	for _, t := range listed {
		ids[t.ProducerID] = t.TxnID
	}
	for _, t := range used {
		t.ID = ids[t.ProducerID]
	}
}
