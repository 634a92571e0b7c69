// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/schemas/provider"
)

// attempt is one request being verified under one alternative. It is reused:
// on the hot path its buffers are all the memory that verification takes.
type attempt struct {
	*alternative
	req *request.Request
	now time.Time
	// keys fit the alternative; places are theirs among the configured ones.
	keys   []*form
	places []int

	// pieces are what the signature covers, one after the other.
	pieces     []piece
	signatures [][]byte
	buffer     []byte
	sum        []byte
}

// piece is a part of the signed content: bytes, or the secret.
type piece struct {
	bytes  []byte
	secret bool
}

var attempts = sync.Pool{New: func() any { return new(attempt) }}

func newAttempt(a *alternative, req *request.Request, keys []Key, now time.Time) *attempt {
	at := attempts.Get().(*attempt) //nolint:errcheck // the pool holds nothing else
	at.alternative, at.req, at.now = a, req, now
	for i := range keys {
		if f := keys[i].forms[a.index]; f != nil {
			at.keys, at.places = append(at.keys, f), append(at.places, i)
		}
	}
	return at
}

// free gives the buffers back, without what they referred to.
func (at *attempt) free() {
	clear(at.keys)
	clear(at.pieces)
	clear(at.signatures)
	*at = attempt{
		keys: at.keys[:0], places: at.places[:0], pieces: at.pieces[:0],
		signatures: at.signatures[:0], buffer: at.buffer[:0], sum: at.sum[:0],
	}
	if cap(at.buffer) <= maxKept {
		attempts.Put(at)
	}
}

// maxKept is the largest buffer that is kept for other requests.
const maxKept = 64 << 10

// keep copies text into the buffer. Where the buffer grows, earlier copies stay
// valid in the old one.
func (at *attempt) keep(text string) []byte {
	start := len(at.buffer)
	at.buffer = append(at.buffer, text...)
	return at.buffer[start:len(at.buffer):len(at.buffer)]
}

// maxDecoded is the longest signature: RSA of 8192 bits.
const maxDecoded = 1024

// decodeSignatures decodes every signature of the request, at most limit. Those
// that are not of the encoding or, where size is not 0, of another length are
// skipped: a sender that rotates may add what we do not know.
func (at *attempt) decodeSignatures(size, limit int) error {
	for item := range at.signature.items(at.req) {
		if len(at.signatures) == limit {
			break
		}
		raw := at.decode(item)
		if len(raw) > 0 && (size == 0 || len(raw) == size) {
			at.signatures = append(at.signatures, raw)
		}
	}
	if len(at.signatures) == 0 {
		return refuse(MalformedSignature, "%s holds no %s signature in %s%s", &at.signature, at.spec.Scheme, at.spec.Encoding, at.signature.withPrefix())
	}
	return nil
}

// strict base64 gives a signature one spelling only.
var strict = base64.StdEncoding.Strict()

// decode returns nil for what is not of the encoding.
func (at *attempt) decode(item string) []byte {
	if len(item) > 2*maxDecoded {
		return nil
	}
	text := at.keep(item)
	start := len(at.buffer)
	var err error
	if at.spec.Encoding == "hex" {
		at.buffer, err = hex.AppendDecode(at.buffer, text)
	} else {
		at.buffer, err = strict.AppendDecode(at.buffer, text)
	}
	if err != nil {
		at.buffer = at.buffer[:start]
		return nil
	}
	return at.buffer[start:len(at.buffer):len(at.buffer)]
}

// content collects what the signature covers.
func (at *attempt) content() error {
	timestamp, err := at.timestamp()
	if err != nil {
		return err
	}
	for i := range at.spec.Signed {
		segment := &at.spec.Signed[i]
		mark := len(at.pieces)
		missing := at.collect(segment.Template.Parts(), timestamp)
		switch {
		case missing == nil:
		case segment.Optional:
			at.pieces = at.pieces[:mark]
		case missing.Kind == provider.RefTimestamp:
			return at.noTimestamp()
		default:
			return refuse(MissingPart, "the signature covers {%s}, which the request lacks", *missing)
		}
	}
	return nil
}

// collect appends the parts of a template, or returns the reference that leads
// nowhere.
func (at *attempt) collect(parts []provider.Part, timestamp string) *provider.Ref {
	for i := range parts {
		ref := parts[i].Ref
		switch {
		case ref == nil:
			at.pieces = append(at.pieces, piece{bytes: at.keep(parts[i].Literal)})
		case ref.Kind == provider.RefSecret:
			at.pieces = append(at.pieces, piece{secret: true})
		case ref.Kind == provider.RefBody && len(ref.Filters) == 0:
			at.pieces = append(at.pieces, piece{bytes: at.req.Body}) // not copied
		default:
			text, ok := at.resolve(ref, timestamp)
			if !ok && !ref.Optional {
				return ref
			}
			at.pieces = append(at.pieces, piece{bytes: at.keep(text)})
		}
	}
	return nil
}

func (at *attempt) resolve(ref *provider.Ref, timestamp string) (string, bool) {
	text, ok := timestamp, timestamp != ""
	if ref.Kind != provider.RefTimestamp {
		text, ok = at.req.Lookup(*ref)
	}
	if !ok && ref.Kind != provider.RefBody { // an empty body is a body
		return "", false
	}
	for _, f := range ref.Filters {
		text = f.Apply(text)
	}
	return text, true
}

// message is the signed content as one piece, for schemes that cannot stream.
func (at *attempt) message(f *form) []byte {
	if len(at.pieces) == 1 && !at.pieces[0].secret {
		return at.pieces[0].bytes
	}
	var parts [][]byte
	for _, p := range at.pieces {
		if p.secret {
			p.bytes = f.bytes
		}
		parts = append(parts, p.bytes)
	}
	return slices.Concat(parts...)
}

// timestamp is the signed time as the request writes it, or "" where there is
// none. A time in the future is refused like one in the past: it would stay
// replayable for longer than the tolerance.
func (at *attempt) timestamp() (string, error) {
	spec := at.spec.Timestamp
	if spec == nil {
		return "", nil
	}
	text := at.time.first(at.req)
	if spec.Tolerance == 0 {
		return text, nil
	}
	if text == "" {
		return "", at.noTimestamp()
	}
	signed, err := spec.Unit.Parse(text)
	if err != nil {
		return "", refuse(MalformedTimestamp, "the timestamp in %s is not a time in unit %s", &at.time, spec.Unit)
	}
	if at.now.Sub(signed).Abs() > spec.Tolerance {
		return "", refuse(TimestampOutsideTolerance, "the timestamp in %s is more than %s from now; send again with a new one, and check both clocks", &at.time, spec.Tolerance)
	}
	return text, nil
}

func (at *attempt) noTimestamp() *Error {
	return refuse(MissingTimestamp, "%s holds no timestamp%s", &at.time, at.time.withPrefix())
}

// mismatch is when no key fits.
func (at *attempt) mismatch() *Error {
	return refuse(SignatureMismatch, "no signature in %s is that of this request under a configured secret; check the secret, and that nothing on the way changes the body", &at.signature)
}
