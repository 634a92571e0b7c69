// SPDX-License-Identifier: Apache-2.0

// Package failure classifies errors. The class is decided once, at the place
// that knows, and travels with the error; everyone else asks Of.
package failure

import (
	"errors"
	"fmt"

	"github.com/hookstream/hookstream/schemas/reason"
)

// Class says what becomes of a record that failed.
type Class uint8

const (
	// Transient failures pass by themselves (broker or database away, a
	// timeout, a deadlock): try again in place; the partition waits and
	// nothing is dead-lettered. It is the zero value, because waiting loses
	// nothing.
	Transient Class = iota
	// Permanent failures stay (a malformed body, a violated constraint):
	// that one record is dead-lettered and the others go on.
	Permanent
	// Fatal failures are ours or the operator's (wrong credentials, a
	// missing table or topic, being fenced): the service stops.
	Fatal
)

// String is the class's name, as dead letters and metrics carry it.
func (c Class) String() string {
	switch c {
	case Permanent:
		return "permanent"
	case Fatal:
		return "fatal"
	default:
		return "transient"
	}
}

// Error is an error with its class and, where it is Permanent, the reason code
// of its dead letter.
type Error struct {
	Class  Class
	Reason reason.Code
	Err    error
}

// Error is the cause's message.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// NewTransient marks err as Transient.
func NewTransient(err error) error { return &Error{Class: Transient, Err: err} }

// NewPermanent marks err as Permanent for the given reason.
func NewPermanent(code reason.Code, err error) error {
	return &Error{Class: Permanent, Reason: code, Err: err}
}

// NewFatal marks an error as Fatal. The message should say what to do.
func NewFatal(format string, args ...any) error {
	return &Error{Class: Fatal, Err: fmt.Errorf(format, args...)}
}

// Of is the class of err. An error that nobody classified is Transient.
func Of(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return Transient
}

// ReasonOf is the reason code of a Permanent error, or "".
func ReasonOf(err error) reason.Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}
