// SPDX-License-Identifier: Apache-2.0

// Package copyin sends columns of values by COPY, the fastest way into
// Postgres. It writes the binary format itself: pgx's CopyFrom takes each value
// as an interface, which costs as much as the server's work.
package copyin

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Worth is from how many new rows on COPY is used. It is twice as fast as an
// INSERT from arrays already with 10 (see BenchmarkPaths in package apply), but
// takes a round trip to itself, where small INSERTs share one.
const Worth = 20

// Conn is a connection as COPY sees it.
type Conn interface {
	CopyFrom(ctx context.Context, r io.Reader, sql string) (pgconn.CommandTag, error)
}

// Statement is the COPY that takes what Copy sends.
func Statement(table pgx.Identifier, columns []string) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = pgx.Identifier{c}.Sanitize()
	}
	return fmt.Sprintf("COPY %s (%s) FROM STDIN (FORMAT binary)", table.Sanitize(), strings.Join(names, ", "))
}

// Rows are rows to be sent, once.
type Rows struct {
	statement string
	reader    reader
}

// New makes rows of n values a column, which go by statement. Each of columns is a
// pgtype.FlatArray of n values, of the type of its column: see encoder for those
// that there are. The first rows are encoded at once, the others as they are sent.
func New(statement string, columns []any, n int) (*Rows, error) {
	r := &Rows{statement, reader{rows: n, columns: make([]encoder, len(columns))}}
	for i, c := range columns {
		e, err := encoderOf(c)
		if err != nil {
			return nil, err
		}
		r.reader.columns[i] = e
	}
	r.reader.fill()
	return r, nil
}

// Send sends the rows. What else is to be done after them, such as to commit, goes
// in the same round trip, and is left out if they fail.
func (r *Rows) Send(ctx context.Context, conn Conn, after ...string) error {
	if _, err := conn.CopyFrom(ctx, &r.reader, strings.Join(append([]string{r.statement}, after...), "; ")); err != nil {
		return fmt.Errorf("copy %d rows: %w", r.reader.rows, err)
	}
	return nil
}

// signature starts a file of COPY's binary format: the signature, flags and the
// length of the header's extension.
// https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4
const (
	signature = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	trailer   = "\xff\xff"
)

// bufferSize is what is encoded at a time, about what one read takes.
const bufferSize = 64 << 10

// reader encodes rows as they are read.
type reader struct {
	columns   []encoder
	row, rows int
	started   bool
	ended     bool
	buf       []byte
	rest      []byte
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.ended {
			return 0, io.EOF
		}
		r.fill()
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *reader) fill() {
	buf := r.buf[:0]
	if !r.started {
		r.started = true
		buf = append(make([]byte, 0, bufferSize+bufferSize/4), signature...)
	}
	for ; r.row < r.rows && len(buf) < bufferSize; r.row++ {
		buf = binary.BigEndian.AppendUint16(buf, uint16(len(r.columns))) //nolint:gosec // Postgres has at most 1600
		for _, encode := range r.columns {
			buf = encode(buf, r.row)
		}
	}
	if r.row == r.rows {
		buf = append(buf, trailer...)
		r.ended = true
	}
	r.buf, r.rest = buf, buf
}
