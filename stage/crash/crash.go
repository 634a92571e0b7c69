// SPDX-License-Identifier: Apache-2.0

// Package crash names the points at which a chaos build can kill its process,
// as a power cut would. In every other build a point is nothing: the compiler
// removes the call.
package crash

// Point is a place in the code between two steps that must not be torn apart.
type Point string

// The points.
const (
	// Ingest.
	BeforeRawProduce Point = "ingest.before-produce"
	AfterRawProduce  Point = "ingest.after-produce"

	// Transactions from Kafka to Kafka.
	BeforeProduce Point = "transact.before-produce"
	AfterProduce  Point = "transact.after-produce" // the changelog included
	BeforeEnd     Point = "transact.before-end"
	AfterEnd      Point = "transact.after-end"
	InRestore     Point = "transact.in-restore"
	OnAssigned    Point = "transact.on-assigned"
	OnRevoked     Point = "transact.on-revoked"
	InHeldRestore Point = "transform.in-held-restore"
	BeforeRelease Point = "transform.before-release" // computed, nothing is produced
	AfterRelease  Point = "transform.after-release"  // committed, the state is still as before

	// Transactions from Kafka to Postgres.
	OnTakeOver         Point = "sink.on-take-over"
	BeforeDeadLetters  Point = "sink.before-dead-letters"
	BeforeCommit       Point = "sink.before-commit"
	AfterCommit        Point = "sink.after-commit"
	BeforeOffsetCommit Point = "sink.before-offset-commit"

	// Replays.
	BeforeTakeOver  Point = "dlq.before-take-over"
	AfterTakeOver   Point = "dlq.after-take-over"
	InReplay        Point = "dlq.in-replay"
	BeforeReplayEnd Point = "dlq.before-end"
	AfterReplayEnd  Point = "dlq.after-end"
)

// Variable names the environment variable that arms one point: its name, an @,
// and at which pass the process dies, counted from 1.
const Variable = "HOOKSTREAM_CRASH"

// Bug is a mistake that a chaos build can make on purpose, to show that the
// checker notices it.
type Bug string

// The bugs.
const (
	// OffsetsBeforeWrite commits the sink's offsets before its rows.
	OffsetsBeforeWrite Bug = "offsets-before-write"
	// NoEpochCheck lets a sink write that lost its partition.
	NoEpochCheck Bug = "no-epoch-check"
	// StateBeforeCommit adds to the deduplication set before the transaction
	// committed.
	StateBeforeCommit Bug = "state-before-commit"
	// PassHeldKeys lets later records of a key pass by those that are held.
	PassHeldKeys Bug = "pass-held-keys"
)

// SabotageVariable names the environment variable that chooses a bug.
const SabotageVariable = "HOOKSTREAM_SABOTAGE"
