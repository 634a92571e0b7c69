// SPDX-License-Identifier: Apache-2.0

// Package journey follows one event through the pipeline: from the request over
// the raw topic, transform, the event topics and the sink to its row, with its
// dead letters and replays, and every other delivery of it. It is put together
// from the topics and, where it can be read, the sink's ledger. What neither has
// is said to be unknown and never guessed.
package journey

import (
	"time"

	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// Report is the answer to one question, as -o json writes it. Names are a
// contract with scripts: add to them, never change one.
type Report struct {
	ID string `json:"id"`
	// Events are the newest first.
	Events []*Journey `json:"events"`
	// More are events that were found beyond the limit.
	More int `json:"more"`
	// Similar are event ids that begin with ID, where nothing was found by ID
	// itself: the first few, in the order of the alphabet.
	Similar []string `json:"similar"`
	// Unknown says what could not be looked up, and what to set for it.
	Unknown []string `json:"unknown"`
	// Incomplete says that the ledger or the schema registry is configured and
	// could not be asked; Unknown says why.
	Incomplete bool     `json:"incomplete"`
	Searched   Searched `json:"searched"`
}

// Searched is how far was looked.
type Searched struct {
	// Since and Until bound the time of receipt; absent is no bound.
	Since *time.Time `json:"since,omitempty"`
	Until *time.Time `json:"until,omitempty"`
	// Topics in the order of their names.
	Topics []*Looked `json:"topics"`
	// Records that were read, of all topics.
	Records int64 `json:"records"`
	Ledger  bool  `json:"ledger"`
	// LedgerError is why the ledger, which is configured, could not be asked.
	LedgerError string `json:"ledger_error,omitempty"`
}

// Looked is what was read of one topic.
type Looked struct {
	Topic      string `json:"topic"`
	Partitions int    `json:"partitions"`
	Records    int64  `json:"records"`
}

// Status is where a delivery or an event ended up.
type Status string

// The statuses. Applied, Superseded and Stale are the ledger's outcomes.
const (
	Applied    Status = "applied"
	Superseded Status = "superseded"
	Stale      Status = "stale"
	// Duplicate: the event had been accepted before; nothing changed.
	Duplicate Status = "duplicate"
	// Conflict: the event had been accepted before with other data, so this
	// delivery is an open dead letter.
	Conflict Status = "conflict"
	// DeadLettered: it failed for good, and nobody has decided yet.
	DeadLettered Status = "dead-lettered"
	Discarded    Status = "discarded"
	// Dropped: its definition makes no event of its type.
	Dropped Status = "dropped"
	// Held: transform holds it until its definition is corrected.
	Held Status = "held"
	// InFlight: a stage has not come to it yet.
	InFlight Status = "in-flight"
	// Unknown: what is needed to tell was not there to be read.
	Unknown Status = "unknown"
)

// Journey of one event.
type Journey struct {
	Tenant      string     `json:"tenant"`
	Provider    string     `json:"provider"`
	EventID     string     `json:"event_id"`
	EventType   string     `json:"event_type,omitempty"`
	BusinessKey string     `json:"business_key,omitempty"`
	Fingerprint string     `json:"fingerprint"`
	OccurredAt  *time.Time `json:"occurred_at,omitempty"`
	Status      Status     `json:"status"`
	// RequestToRowSeconds is there where a row was written.
	RequestToRowSeconds *float64 `json:"request_to_row_seconds,omitempty"`
	// Deliveries in the order of their receipt.
	Deliveries []*Delivery `json:"deliveries"`
}

// Delivery is one request that brought the event, and what came of it.
type Delivery struct {
	// Number from 1.
	Number        int        `json:"number"`
	CorrelationID string     `json:"correlation_id,omitempty"`
	TraceID       string     `json:"trace_id,omitempty"`
	TraceURL      string     `json:"trace_url,omitempty"`
	ReceivedAt    *time.Time `json:"received_at,omitempty"`
	// Raw is where the webhook was first written.
	Raw    *Position `json:"raw,omitempty"`
	Status Status    `json:"status"`
	Hops   []*Hop    `json:"hops"`
}

// Kind of a hop.
type Kind string

// The kinds, in the order of the way.
const (
	Request    Kind = "request"
	Raw        Kind = "raw"
	Event      Kind = "event"
	SinkReplay Kind = "sink-replay"
	Row        Kind = "row"
	// Repeat is where a duplicate was recognized.
	Repeat     Kind = "duplicate"
	DeadLetter Kind = "dead-letter"
	// Resolution is what an operator did with the dead letter before.
	Resolution Kind = "resolution"
	Drop       Kind = "dropped"
	// Hold is where transform holds the delivery now.
	Hold Kind = "held"
	// Waiting is where the delivery is now.
	Waiting Kind = "waiting"
	// Unclear says what is not known.
	Unclear Kind = "unknown"
)

// Hop is one station of a delivery. At is absent where nobody wrote the time
// down; AfterSeconds is the time since the last hop that has one, and negative
// where the clocks of two machines disagree.
type Hop struct {
	Kind         Kind         `json:"kind"`
	At           *time.Time   `json:"at,omitempty"`
	AfterSeconds *float64     `json:"after_seconds,omitempty"`
	Stage        record.Stage `json:"stage,omitempty"`
	// Position of the record; Gone says that its topic no longer keeps it.
	Position *Position `json:"position,omitempty"`
	Gone     bool      `json:"gone,omitempty"`
	Bytes    *int      `json:"bytes,omitempty"`
	// TraceID and TraceURL are there where a new trace begins.
	TraceID  string `json:"trace_id,omitempty"`
	TraceURL string `json:"trace_url,omitempty"`
	// Note is one sentence about the hop.
	Note string `json:"note,omitempty"`

	*RequestDetails
	*EventDetails
	*DeadLetterDetails
	*HoldDetails
	*ResolutionDetails
	*RowDetails
	*RepeatDetails
	// Behind is how many records the stage has to read before this one is done.
	Behind *int64 `json:"behind,omitempty"`
	// ReplayCount and EditedBy are there for a record that was replayed.
	ReplayCount int    `json:"replay_count,omitempty"`
	EditedBy    string `json:"edited_by,omitempty"`
}

// RequestDetails are what the edge knew.
type RequestDetails struct {
	Remote          string `json:"remote,omitempty"`
	Verification    string `json:"verification,omitempty"`
	VerificationKey string `json:"verification_key,omitempty"`
	ContentType     string `json:"content_type,omitempty"`
	// BatchIndex of BatchCount where one request brought several webhooks.
	BatchIndex int `json:"batch_index,omitempty"`
	BatchCount int `json:"batch_count,omitempty"`
	// Defect was noticed at the edge; transform dead-letters it.
	Defect reason.Code `json:"defect,omitempty"`
}

// EventDetails are what transform made.
type EventDetails struct {
	Entity   string `json:"entity"`
	EntityID string `json:"entity_id"`
	// Version is absent where neither ledger nor schema registry was asked.
	Version *Version `json:"version,omitempty"`
	// TransactionID is the Kafka transaction in which transform wrote it, as in
	// the ledger, in spans and in lines; Transaction is whose that was.
	TransactionID string       `json:"transaction_id,omitempty"`
	Transaction   *Transaction `json:"transaction,omitempty"`
}

// Version is an event's place in the order of its entity; Revision is the
// definition's.
type Version struct {
	Order      int64 `json:"order"`
	Generation int32 `json:"generation"`
	Offset     int64 `json:"offset"`
	Revision   int32 `json:"revision"`
}

// Transaction is transform's: which producer it was of, by its broker's id, and
// its transactional id where the broker still knows it.
type Transaction struct {
	ProducerID    int64  `json:"producer_id"`
	ProducerEpoch int16  `json:"producer_epoch"`
	ID            string `json:"transactional_id,omitempty"`
}

// DeadLetterDetails are why a stage gave the record up.
type DeadLetterDetails struct {
	DeadLetter     string      `json:"dead_letter"`
	Reason         reason.Code `json:"reason"`
	Message        string      `json:"message"`
	Attempts       int         `json:"attempts"`
	ServiceVersion string      `json:"service_version,omitempty"`
}

// HoldDetails are why transform holds a record.
type HoldDetails struct {
	// HeldFor is what it fails with, or absent where it waits for earlier ones of
	// its key.
	HeldFor reason.Code `json:"held_for,omitempty"`
	Because string      `json:"because"`
}

// ResolutionDetails are what an operator did.
type ResolutionDetails struct {
	Action   record.Action `json:"action"`
	By       string        `json:"by"`
	Why      string        `json:"why,omitempty"`
	ReplayID string        `json:"replay_id,omitempty"`
	Target   string        `json:"target,omitempty"`
	Edit     *record.Edit  `json:"edit,omitempty"`
}

// RowDetails are the ledger's.
type RowDetails struct {
	Outcome    Status   `json:"outcome"`
	RowVersion *Version `json:"row_version"`
	Deleted    bool     `json:"deleted,omitempty"`
	// Attempt of the sink at its batch that wrote the row, from 1; 0 is not
	// known.
	Attempt int `json:"attempt,omitempty"`
	// Newest is the newest event that had been applied to the entity, where
	// this one was not.
	Newest *Newest `json:"newest,omitempty"`
}

// Newest is an event that went before this one.
type Newest struct {
	EventID   string    `json:"event_id"`
	AppliedAt time.Time `json:"applied_at"`
	Version   Version   `json:"version"`
}

// RepeatDetails say what a delivery repeats.
type RepeatDetails struct {
	// Of is the number of the delivery that was accepted; 0 where it is no
	// longer kept.
	Of int `json:"of,omitempty"`
	// AcceptedAt is when, where only that is known.
	AcceptedAt *time.Time `json:"accepted_at,omitempty"`
}

// Position is where a record lies in Kafka.
type Position struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// String is topic/partition/offset.
func (p Position) String() string { return record.Position(p).String() }

func position(p record.Position) *Position { return (*Position)(&p) }
