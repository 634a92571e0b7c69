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

	// WeakScheme: the request is signed by a weaker scheme only, which is not
	// taken from this tenant.
	WeakScheme Cause = "weak_scheme"

	// MissingPart: the signature covers a part that the request lacks.
	MissingPart Cause = "missing_signed_part"
	// BodyMismatch: the signed hash of the body is that of another body.
	BodyMismatch Cause = "body_mismatch"
	// UntrustedCertificate: the certificate is not where the definition pins
	// it, or not one that it trusts.
	UntrustedCertificate Cause = "untrusted_certificate"
	// ClaimMismatch: the token is signed, but says something else than the
	// definition and the secret want.
	ClaimMismatch Cause = "claim_mismatch"

	// KeysUnavailable: the keys to verify with could not be fetched. It says
	// nothing about the request, which should be sent again: it is answered
	// 503, not 401.
	KeysUnavailable Cause = "keys_unavailable"
)

// Error is a request that was not verified.
type Error struct {
	Cause Cause
	// Detail is for the sender's eyes. It names parts of the definition and
	// holds nothing of the request.
	Detail string
	// Err is what was behind KeysUnavailable, for the log.
	Err error
}

// Error is the cause and the detail.
func (e *Error) Error() string { return string(e.Cause) + ": " + e.Detail }

// Unwrap gives what was behind it.
func (e *Error) Unwrap() error { return e.Err }

func refuse(cause Cause, format string, args ...any) *Error {
	return &Error{Cause: cause, Detail: fmt.Sprintf(format, args...)}
}
