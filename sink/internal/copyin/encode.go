// SPDX-License-Identifier: Apache-2.0

package copyin

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// encoder appends one row's value: its length and its bytes, as the type's
// receive function wants them.
type encoder func(buf []byte, row int) []byte

// JSONB marks texts that go to a column of type jsonb.
type JSONB pgtype.FlatArray[pgtype.Text]

// encoderOf chooses once for a column, so that no value is boxed.
func encoderOf(column any) (encoder, error) {
	switch c := column.(type) {
	case pgtype.FlatArray[pgtype.Text]:
		return func(buf []byte, i int) []byte { return text(buf, c[i]) }, nil
	case pgtype.FlatArray[string]:
		return func(buf []byte, i int) []byte { return sized(buf, c[i]) }, nil
	case pgtype.FlatArray[[]byte]:
		return func(buf []byte, i int) []byte { return sized(buf, c[i]) }, nil
	case pgtype.FlatArray[int64]:
		return func(buf []byte, i int) []byte { return long(buf, c[i], true) }, nil
	case pgtype.FlatArray[pgtype.Int8]:
		return func(buf []byte, i int) []byte { return long(buf, c[i].Int64, c[i].Valid) }, nil
	case pgtype.FlatArray[int32]:
		return func(buf []byte, i int) []byte {
			return binary.BigEndian.AppendUint32(length(buf, 4), uint32(c[i])) //nolint:gosec // the bits
		}, nil
	case pgtype.FlatArray[bool]:
		return func(buf []byte, i int) []byte { return boolean(buf, c[i], true) }, nil
	case pgtype.FlatArray[pgtype.Bool]:
		return func(buf []byte, i int) []byte { return boolean(buf, c[i].Bool, c[i].Valid) }, nil
	case pgtype.FlatArray[pgtype.Float8]:
		return func(buf []byte, i int) []byte {
			return long(buf, int64(math.Float64bits(c[i].Float64)), c[i].Valid) //nolint:gosec // the bits
		}, nil
	case pgtype.FlatArray[time.Time]:
		return func(buf []byte, i int) []byte { return long(buf, microseconds(c[i]), true) }, nil
	case pgtype.FlatArray[pgtype.Timestamptz]:
		return func(buf []byte, i int) []byte { return long(buf, microseconds(c[i].Time), c[i].Valid) }, nil
	case JSONB:
		return func(buf []byte, i int) []byte { return jsonb(buf, c[i]) }, nil
	case pgtype.FlatArray[pgtype.FlatArray[string]]:
		return func(buf []byte, i int) []byte { return texts(buf, c[i]) }, nil
	}
	return nil, fmt.Errorf("copy: no encoding for %T", column)
}

const null = -1

func length(buf []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(buf, uint32(n)) //nolint:gosec // a record is far below 2 GB
}

func sized[T string | []byte](buf []byte, v T) []byte { return append(length(buf, len(v)), v...) }

func text(buf []byte, v pgtype.Text) []byte {
	if !v.Valid {
		return length(buf, null)
	}
	return sized(buf, v.String)
}

func long(buf []byte, v int64, valid bool) []byte {
	if !valid {
		return length(buf, null)
	}
	return binary.BigEndian.AppendUint64(length(buf, 8), uint64(v)) //nolint:gosec // the bits
}

func boolean(buf []byte, v, valid bool) []byte {
	switch {
	case !valid:
		return length(buf, null)
	case v:
		return append(length(buf, 1), 1)
	}
	return append(length(buf, 1), 0)
}

// epoch is Postgres's, the start of the year 2000, in Unix microseconds.
const epoch = 946_684_800_000_000

func microseconds(t time.Time) int64 { return t.UnixMicro() - epoch }

// jsonbVersion starts jsonb's binary form; its text follows.
const jsonbVersion = 1

func jsonb(buf []byte, v pgtype.Text) []byte {
	if !v.Valid {
		return length(buf, null)
	}
	return append(append(length(buf, 1+len(v.String)), jsonbVersion), v.String...)
}

// textOID is type text's in every Postgres.
const textOID = 25

// texts is a text[] of one dimension without nulls; nil is null.
func texts(buf []byte, v []string) []byte {
	if v == nil {
		return length(buf, null)
	}
	start := len(buf)
	buf = length(buf, 0)
	dimensions := min(len(v), 1)
	for _, header := range []int{dimensions, 0, textOID} { // the second says that there are no nulls
		buf = length(buf, header)
	}
	if dimensions == 1 {
		buf = length(length(buf, len(v)), 1) // the lower bound is 1
	}
	for _, s := range v {
		buf = sized(buf, s)
	}
	binary.BigEndian.PutUint32(buf[start:], uint32(len(buf)-start-4)) //nolint:gosec // as in length
	return buf
}
