// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"crypto/sha256"
	"errors"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/schemas/body"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// batch is the webhooks of one request: the request itself, or the items that
// its body was split into.
type batch struct {
	webhooks []*request.Request
	// places are those of the items in the body; nil where it was not split.
	places []*record.Batch
	// isSplit is set where the body holds a batch, be it empty.
	isSplit bool
	// defect says why a batch was not split, and is stored whole.
	defect reason.Code
}

// split takes the request's body apart where the definition says that it holds
// batches. What cannot be taken apart is one webhook. It fails only for lack of
// memory.
func (h *Handler) split(x *exchange, req *request.Request) (*batch, *refusal) {
	b := &batch{webhooks: []*request.Request{req}}
	if len(x.compiled.def.Body.Batch) == 0 || req.Malformed() != nil {
		return b, nil
	}
	items, err := x.compiled.def.Body.Split(req.View())
	switch {
	case errors.Is(err, body.ErrTooMany):
		b.defect = reason.BatchTooLarge
		return b, nil
	case err != nil || len(items) == 1 && len(items[0].Body) == len(req.View()):
		return b, nil // malformed bodies are stored whole too
	}
	return b, h.takeApart(x, req, b, items)
}

// recordSize is about what a record takes besides its body, in bytes.
const recordSize = 4 << 10

func (h *Handler) takeApart(x *exchange, req *request.Request, b *batch, items []body.Item) *refusal {
	size := int64(len(items)) * recordSize
	for i := range items {
		size += int64(len(items[i].Body))
	}
	if !h.acquireMemory(x, size) {
		return noMemory()
	}
	digest := sha256.Sum256(req.View())
	b.isSplit, b.webhooks, b.places = true, make([]*request.Request, len(items)), make([]*record.Batch, len(items))
	for i := range items {
		b.webhooks[i] = req.Item(items[i].Body)
		b.places[i] = &record.Batch{
			SHA256: digest, Index: i + 1, Count: len(items), Ranges: items[i].Ranges, Gap: items[i].Gap,
		}
	}
	return nil
}
