// SPDX-License-Identifier: Apache-2.0

package sqlstate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/stage/failure"
)

func TestClassify(t *testing.T) {
	tests := []struct {
		code, constraint, table string
		class                   failure.Class
		reason                  reason.Code
	}{
		{code: "08006", class: failure.Transient},
		{code: "40001", class: failure.Transient},
		{code: "40P01", class: failure.Transient},
		{code: "53100", class: failure.Transient},
		{code: "53200", class: failure.Transient},
		{code: "53300", class: failure.Transient},
		{code: "55P03", class: failure.Transient},
		{code: "57014", class: failure.Transient},
		{code: "57P01", class: failure.Transient},
		{code: "57P03", class: failure.Transient},
		{code: "25006", class: failure.Transient},
		{code: "25P03", class: failure.Transient},
		{code: "25P04", class: failure.Transient},
		{code: "58030", class: failure.Transient},
		{code: "XX001", class: failure.Transient},
		{code: "XX000", class: failure.Transient},
		{code: "P0001", class: failure.Transient},
		{code: "", class: failure.Transient},
		{code: "22P05", class: failure.Permanent, reason: reason.InvalidValue},
		{code: "22021", class: failure.Permanent, reason: reason.InvalidValue},
		{code: "54000", class: failure.Permanent, reason: reason.InvalidValue},
		{code: "54001", class: failure.Transient},
		{code: "23502", class: failure.Permanent, reason: reason.ConstraintViolation},
		{code: "23505", constraint: "payment_email_key", class: failure.Permanent, reason: reason.ConstraintViolation},
		{code: "23514", constraint: "amount_check", class: failure.Permanent, reason: reason.ConstraintViolation},
		{code: "23514", table: "payment", class: failure.Fatal}, // no partition
		{code: "23514", class: failure.Permanent, reason: reason.ConstraintViolation},
		{code: "23P01", constraint: "no_overlap", class: failure.Permanent, reason: reason.ConstraintViolation},
		{code: "44000", class: failure.Permanent, reason: reason.ConstraintViolation},
		{code: "0A000", class: failure.Fatal},
		{code: "28000", class: failure.Fatal},
		{code: "28P01", class: failure.Fatal},
		{code: "42P01", class: failure.Fatal},
		{code: "42501", class: failure.Fatal},
		{code: "3D000", class: failure.Fatal},
		{code: "3F000", class: failure.Fatal},
	}
	for _, test := range tests {
		t.Run(test.code+test.constraint+test.table, func(t *testing.T) {
			cause := &pgconn.PgError{Code: test.code, ConstraintName: test.constraint, TableName: test.table}
			err := Classify(fmt.Errorf("upsert: %w", cause))
			if failure.Of(err) != test.class || failure.ReasonOf(err) != test.reason {
				t.Errorf("class %s, reason %q; want %s, %q", failure.Of(err), failure.ReasonOf(err), test.class, test.reason)
			}
			if !errors.Is(err, cause) {
				t.Error("the cause is lost")
			}
			if Code(err) != test.code {
				t.Errorf("Code() = %q, want %q", Code(err), test.code)
			}
		})
	}
}

func TestClassifyKeepsWhatIsNoAnswerOfTheServer(t *testing.T) {
	for _, err := range []error{nil, context.DeadlineExceeded, failure.NewFatal("stop")} {
		if got := Classify(err); !errors.Is(got, err) || failure.Of(got) != failure.Of(err) {
			t.Errorf("Classify(%v) = %v", err, got)
		}
	}
}

func TestSlow(t *testing.T) {
	for code, want := range map[string]bool{"57014": true, "25P04": true, "57P01": false, "55P03": false, "": false} {
		if got := Slow(fmt.Errorf("upsert: %w", &pgconn.PgError{Code: code})); got != want {
			t.Errorf("Slow(%s) = %t", code, got)
		}
	}
}

func TestPartial(t *testing.T) {
	const ofFunction = `PL/pgSQL function public.refuse() line 2 at RAISE`
	for _, c := range []struct {
		code, where string
		want        bool
	}{
		{"P0001", "", true},
		{"P0004", "", true},
		{"HS001", "", true},
		{"40001", "", true},
		{"40P01", "", true},
		{"55P03", "", true},
		{"57014", "", true},
		{"25P04", "", true},
		{"54001", "", true},
		{"58030", "", true},
		{"XX001", "", true},
		{"42P01", ofFunction, true},
		{"42P01", "", false},
		{"42P01", "PL/pgSQL function inline_code_block line 10 at SQL statement", false},
		{"42P01", ofFunction + "\nSQL statement\nPL/pgSQL function inline_code_block line 10 at SQL statement", true},
		{"23514", "", false},
		{"22001", ofFunction, false},
		{"08006", "", false},
		{"25006", "", false},
		{"25P03", "", false},
		{"53100", "", false},
		{"53200", "", false},
		{"53300", "", false},
		{"57P01", "", false},
		{"57P03", "", false},
		{"", "", false},
	} {
		err := Classify(fmt.Errorf("upsert: %w", &pgconn.PgError{Code: c.code, Where: c.where}))
		if got := Partial(err); got != c.want {
			t.Errorf("Partial(%s, %q) = %t", c.code, c.where, got)
		}
		if c.want && failure.Of(err) != failure.Transient {
			t.Errorf("%s, %q is %s", c.code, c.where, failure.Of(err))
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for code, want := range map[string]string{"28P01": "HOOKSTREAM_DATABASE_URL", "P0001": "ERRCODE = 'check_violation'"} {
		if err := Classify(&pgconn.PgError{Code: code, Message: "refused"}); !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
}
