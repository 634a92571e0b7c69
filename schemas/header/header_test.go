// SPDX-License-Identifier: Apache-2.0

package header

import (
	"fmt"
	"testing"
	"time"
)

func TestListKeepsOrderAndTheLastCounts(t *testing.T) {
	var l List
	l.Add("a", "1")
	l.Add("b", "2")
	l.Add("a", "3")
	if v, ok := l.Get("a"); !ok || v != "3" {
		t.Errorf("Get gives %q, %v", v, ok)
	}
	if _, ok := l.Get("A"); ok {
		t.Error("names differ in case")
	}
	before := l
	l.Set("a", "4")
	if len(l) != 2 || l[0].Key != "b" || string(l[1].Value) != "4" {
		t.Errorf("Set gives %v", l)
	}
	if len(before) != 3 || string(before[2].Value) != "3" {
		t.Errorf("Set changed a copy: %v", before)
	}
	l.AddSet("c", "")
	if _, ok := l.Get("c"); ok {
		t.Error("AddSet added an empty value")
	}
	l.Delete("b")
	if len(l) != 1 {
		t.Errorf("Delete leaves %v", l)
	}
}

func TestPutReplacesInPlace(t *testing.T) {
	var l List
	for _, name := range []string{"a", "b", "a", "c", "a"} {
		l.Add(name, "old")
	}
	first := &l[0]
	l.Put("a", []byte("new"))
	l.Put("d", []byte("added"))
	if got := fmt.Sprintf("%s", l); got != "[{a new} {b old} {c old} {d added}]" || string(first.Value) != "new" {
		t.Errorf("Put gives %s", got)
	}
}

func TestFailureHeadersAreToldFromOthers(t *testing.T) {
	for _, name := range []string{ErrorTopic, ErrorPartition, ErrorOffset, ErrorStage, ErrorException, ErrorMessage,
		FailureClass, FailureReason, FailureAttempts, FailureFirst, FailureLast, FailureOmitted, ServiceVersion} {
		if !IsFailure(name) {
			t.Errorf("%s would be replayed", name)
		}
	}
	for _, name := range []string{ID, Tenant, TraceParent, OriginTopic, OriginPartition, OriginOffset, ReplayCount, ReplayID, Defect, RequestPrefix + "x"} {
		if IsFailure(name) {
			t.Errorf("%s would be lost in a replay", name)
		}
	}
}

func TestFormatTime(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 0, 0, 123456789, time.FixedZone("", 3600))
	if got := FormatTime(at); got != "2026-03-01T09:00:00.123456Z" {
		t.Errorf("got %s", got)
	}
	for _, ns := range []int{0, 999, 1_000, 12_345_000, 999_999_999} {
		at := time.Date(9999, 12, 31, 23, 59, 59, ns, time.UTC)
		if got, want := FormatTime(at), at.Format("2006-01-02T15:04:05.000000Z"); got != want {
			t.Errorf("%d ns: got %s, want %s", ns, got, want)
		}
	}
	if got := FormatTime(time.Time{}); got != "" {
		t.Errorf("no time gives %q", got)
	}
}
