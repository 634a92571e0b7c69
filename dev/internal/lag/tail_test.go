// SPDX-License-Identifier: Apache-2.0

package lag

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/kafkatest"
)

// TestAGroupThatNobodyHasJoined is the sink's in the first moments of a stack.
func TestAGroupThatNobodyHasJoined(t *testing.T) {
	b := kafkatest.New(t)
	topic := b.CreateTopic(t, 2, "raw")
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addresses...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	admin := kadm.NewClient(client)
	if offsets, err := Committed(t.Context(), admin, b.Name("nobody")); err != nil || len(offsets) != 0 {
		t.Errorf("got %v, %v", offsets, err)
	}
	if behind, err := Of(t.Context(), admin, b.Name("nobody"), topic); err != nil || behind != 0 {
		t.Errorf("%d behind, %v", behind, err)
	}
}

// TestBehind counts records where they are known, and offsets elsewhere.
func TestBehind(t *testing.T) {
	read := func() *followed {
		f := &followed{first: 10, next: 10}
		for offset := int64(10); offset < 20; offset++ { // a marker after each record
			f.add(offset, offset%2 == 0)
		}
		return f
	}
	for name, c := range map[string]struct{ next, end, want int64 }{
		"nothing done":         {10, 20, 5},
		"a marker is left":     {19, 20, 0},
		"all done":             {20, 20, 0},
		"some done":            {14, 20, 3},
		"from before it began": {7, 20, 3 + 5},
		"not read yet":         {14, 22, 3 + 2},
		"done before read":     {25, 27, 2},
	} {
		f := read()
		for range 2 { // what is forgotten is not needed again
			if got := f.behind(c.next, c.end); got != c.want {
				t.Errorf("%s: %d, want %d", name, got, c.want)
			}
		}
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	f := &followed{}
	for offset := range int64(3 * maxRecords) {
		f.add(offset, true)
	}
	if len(f.records) > maxRecords || f.behind(0, 3*maxRecords) != 3*maxRecords {
		t.Errorf("%d offsets are kept, %d behind", len(f.records), f.behind(0, 3*maxRecords))
	}
}
