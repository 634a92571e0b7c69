// SPDX-License-Identifier: Apache-2.0

package verify

import "fmt"

// Cause is why a request was not verified: a closed set, fit for metric labels
// and answers. None of them says anything about a secret.
type Cause string

// The causes.
const (
	MissingSignature   Cause = "missing_signature"
	MalformedSignature Cause = "malformed_signature"
	SignatureMismatch  Cause = "signature_mismatch"

	MissingTimestamp          Cause = "missing_timestamp"
	MalformedTimestamp        Cause = "malformed_timestamp"
	TimestampOutsideTolerance Cause = "timestamp_outside_tolerance"

	// MissingPart: the signature covers a part that the request lacks.
	MissingPart Cause = "missing_signed_part"
)

// Error is a request that was not verified.
type Error struct {
	Cause Cause
	// Detail is for the sender's eyes. It names headers of the definition
	// and holds nothing of the request.
	Detail string
}

// Error is the cause and the detail.
func (e *Error) Error() string { return string(e.Cause) + ": " + e.Detail }

func refuse(cause Cause, format string, args ...any) *Error {
	return &Error{Cause: cause, Detail: fmt.Sprintf(format, args...)}
}
