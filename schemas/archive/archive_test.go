// SPDX-License-Identifier: Apache-2.0

package archive_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/archive"
)

func TestEveryByteComesBack(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	records := []*kgo.Record{
		{Topic: "t", Partition: 3, Offset: 7, Timestamp: at, Key: []byte("k\x00"), Value: []byte{0xff, '\n'}, Headers: []kgo.RecordHeader{{Key: "a", Value: []byte{}}, {Key: "a"}}},
		{Topic: "t", Timestamp: at, Key: []byte{}, Headers: []kgo.RecordHeader{}}, // a tombstone
	}
	var text bytes.Buffer
	for _, r := range records {
		if err := archive.Of("", r).Write(&text); err != nil {
			t.Fatal(err)
		}
		text.WriteByte('\n')
	}
	var got []*kgo.Record
	if err := archive.Read(&text, func(l *archive.Line) error { got = append(got, l.Record()); return nil }); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, records) {
		t.Errorf("got %+v", got)
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	good := `{"version":1,"topic":"t"}` + "\n"
	broken := errors.New("broken")
	for text, want := range map[string]string{
		good + "{":                    "line 2: unexpected end",
		"\n" + good + `{"version":2}`: "line 3: version 2, want 1",
		"{}":                          "line 1: version 0",
	} {
		if err := archive.Read(strings.NewReader(text), func(*archive.Line) error { return nil }); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q gives %v, want %s", text, err, want)
		}
	}
	if err := archive.Read(strings.NewReader(good), func(*archive.Line) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
