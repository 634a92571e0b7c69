// SPDX-License-Identifier: Apache-2.0

package check

// Position is a place in Kafka.
type Position struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Replay is one replay of a raw record.
type Replay struct {
	// Origin is where the record was stored first.
	Origin Position
	// Count tells the replays of one record apart.
	Count string
}

// Published is an event found on a public topic.
type Published struct {
	Position
	// Key of the record.
	Key string
	// Identity is provider and event id, as the value's meta record says.
	Identity string
	// RawPartition and RawOffset are where it says it comes from.
	RawPartition int32
	RawOffset    int64
}

// DeadLetter is one found on the dead-letter topic.
type DeadLetter struct {
	ID            string
	Stage, Reason string
	// Failed is where the record was that failed.
	Failed Position
	// Serial of the webhook, where the dead letter holds its body; Identity
	// where it holds an event.
	Serial, Identity string
}

// RowKey names a row.
type RowKey struct{ Entity, Provider, ID string }

// Row is one row of an entity's table.
type Row struct {
	Deleted bool
	Columns map[string]string
}

// Observed is everything that came out.
type Observed struct {
	// Raw positions by serial, in order within a partition.
	Raw map[string][]Position
	// Replays counts the copies of each replay of a raw record.
	Replays map[Replay]int
	// Published in order within a partition.
	Published   []Published
	DeadLetters []DeadLetter
	Rows        map[RowKey]Row
	// Ledger rows by identity.
	Ledger map[string]int
}
