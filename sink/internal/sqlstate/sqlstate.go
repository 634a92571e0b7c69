// SPDX-License-Identifier: Apache-2.0

// Package sqlstate says what a Postgres error means for the pipeline. It is the
// one table of it.
package sqlstate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/stage/failure"
)

// ReadOnly is the code that a server answers writes with after it became a
// standby: its connections must be replaced (SQLSTATE 25006).
const ReadOnly = "25006"

// UniqueViolation is the code of a duplicate key.
const UniqueViolation = "23505"

// The codes with which the server gives up what takes too long
// (statement_timeout, and transaction_timeout from PostgreSQL 17 on). A person
// who cancels a statement is answered the first, too.
const (
	canceled           = "57014"
	transactionTimeout = "25P04"
)

// The codes with which the server says that other sessions are in the way.
const (
	lockNotAvailable = "55P03" // lock_timeout
	deadlock         = "40P01"
)

// meaning is what a code, or a class of codes, says.
type meaning struct {
	class failure.Class
	// reason of the dead letter where class is Permanent.
	reason reason.Code
	// act says what to do, where the server's message does not.
	act string
}

// meanings by SQLSTATE or by its class, the first two characters; the longer
// one wins. What is not here is Transient, because waiting loses nothing.
// Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
var meanings = map[string]meaning{
	"08":               {class: failure.Transient}, // connection_exception
	"25P03":            {class: failure.Transient}, // idle_in_transaction_session_timeout
	transactionTimeout: {class: failure.Transient}, // the batch is halved: see Slow
	ReadOnly:           {class: failure.Transient}, // read_only_sql_transaction: a failover
	"40":               {class: failure.Transient}, // serialization_failure, deadlock_detected
	"53":               {class: failure.Transient}, // insufficient_resources: disk, memory, connections
	lockNotAvailable:   {class: failure.Transient}, // see Blocked
	canceled:           {class: failure.Transient}, // the batch is halved: see Slow
	"57P01":            {class: failure.Transient}, // admin_shutdown
	"57P02":            {class: failure.Transient}, // crash_shutdown
	"57P03":            {class: failure.Transient}, // cannot_connect_now
	"57P05":            {class: failure.Transient}, // idle_session_timeout
	"58":               {class: failure.Transient}, // system_error: an operator mends the disk
	"XX":               {class: failure.Transient}, // internal_error, data_corrupted: an operator's, too
	// raise_exception: a trigger's, which does not say whether it passes.
	"P0001": {class: failure.Transient, act: "a trigger's RAISE, which is tried again: to refuse the row for good it needs USING ERRCODE = 'check_violation'"},

	"22": {class: failure.Permanent, reason: reason.InvalidValue},
	"23": {class: failure.Permanent, reason: reason.ConstraintViolation},
	// with_check_option_violation: the row is outside what a view shows.
	"44": {class: failure.Permanent, reason: reason.ConstraintViolation},
	// program_limit_exceeded: a value is too long for an index.
	"54000": {class: failure.Permanent, reason: reason.InvalidValue},

	"0A": {class: failure.Fatal, act: "the table is one that the sink cannot write: with row-level security, for example, its user needs BYPASSRLS"},
	"28": {class: failure.Fatal, act: "check the user and password in HOOKSTREAM_DATABASE_URL, and pg_hba.conf"},
	"42": {class: failure.Fatal, act: "the tables or the user's rights are not as the sink made them; restart it: it creates what is missing, or says what to run; or grant the rights"},
	"3D": {class: failure.Fatal, act: "create the database, or correct HOOKSTREAM_DATABASE_URL"},
	"3F": {class: failure.Fatal, act: "create the schema, or restart the sink to have it created"},
}

// checkViolation is also what Postgres answers when a table has no partition
// for a row: then it names the table and no constraint. A trigger's RAISE names
// neither.
const checkViolation = "23514"

// ofTrigger is what a mistake in a trigger's function means, such as a column that it
// names wrongly. Our own statements have none, so the tables are as they should be.
var ofTrigger = meaning{class: failure.Transient, act: "a trigger's function fails, and its row is tried again: correct the function, or have it refuse the row for good with RAISE … USING ERRCODE = 'check_violation'"}

var noPartition = meaning{class: failure.Fatal, act: "the table lacks a partition for the row: restart the sink, which makes the ledger's again, or says what to run; of a table of your own, create one, or a default partition"}

// Code is the SQLSTATE of err, or "" where no server answered.
func Code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// Slow reports whether the server gave err's statement or transaction up because
// it took too long. With fewer rows it may do.
func Slow(err error) bool {
	code := Code(err)
	return code == canceled || code == transactionTimeout
}

// Blocked reports whether other sessions had what err's statement needs.
func Blocked(err error) bool {
	code := Code(err)
	return code == lockNotAvailable || code == deadlock
}

// ofAll are the classes that are about the server or the session, and so about
// every row of a statement alike: connections, the state of the transaction (a
// standby refuses all), disk and memory, an administrator's doing.
var ofAll = map[string]bool{"08": true, "25": true, "53": true, "57": true}

// Partial reports whether err passes and one row may have caused it: somebody has its
// lock, a trigger refuses it, its block of the disk cannot be read. With other rows the
// statement may do.
func Partial(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || lookup(pg).class != failure.Transient {
		return false
	}
	return pg.Code == canceled || pg.Code == transactionTimeout || len(pg.Code) == 5 && !ofAll[pg.Code[:2]]
}

// Classify gives an error of the database client its class. Errors without a
// SQLSTATE (connection lost, timeout) stay unclassified, which is Transient.
func Classify(err error) error {
	var classified *failure.Error
	var pg *pgconn.PgError
	if errors.As(err, &classified) || !errors.As(err, &pg) {
		return err
	}
	m := lookup(pg)
	err = fmt.Errorf("postgres: %w", err)
	if m.act != "" {
		err = fmt.Errorf("%w: %s", err, m.act)
	}
	return &failure.Error{Class: m.class, Reason: m.reason, Err: err}
}

func lookup(pg *pgconn.PgError) meaning {
	if pg.Code == checkViolation && pg.ConstraintName == "" && pg.TableName != "" {
		return noPartition
	}
	m, ok := meanings[pg.Code]
	if !ok && len(pg.Code) == 5 {
		m = meanings[pg.Code[:2]] // the zero value is Transient
	}
	if m.class == failure.Fatal && inFunction(pg.Where) {
		return ofTrigger
	}
	return m
}

// ownBlock is how Postgres calls the blocks that the sink sends.
const ownBlock = "inline_code_block"

// inFunction reports whether an error came from a function that somebody made, by the
// lines of its context: "PL/pgSQL function f() line 3 at RAISE". A server that speaks
// another language says it in other words; then the error means what its code says.
func inFunction(context string) bool {
	for line := range strings.Lines(context) {
		if strings.Contains(line, " function ") && !strings.Contains(line, ownBlock) {
			return true
		}
	}
	return false
}
