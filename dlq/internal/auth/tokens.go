// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/hookstream/hookstream/stage/reload"
)

// maxTokensBytes bounds the file: every request is compared with all of it.
const maxTokensBytes = 256 << 10

// Tokens are those that a file lists. Each line is a name, the SHA-256 of the
// token in hexadecimal, and the scopes with commas between; # begins a comment.
type Tokens struct{ *reload.Source[datedList] }

// datedList is what a file lists, and when it was written.
type datedList struct {
	list    tokenList
	changed time.Time
}

type tokenList []entry

type entry struct {
	sum    [sha256.Size]byte
	caller *Caller
}

// NewTokens reads the file for the first time.
func NewTokens(path string, log *slog.Logger) (*Tokens, error) {
	source, err := reload.New(reload.Config[datedList]{
		Name: "tokens", Log: log,
		Fingerprint: func() (reload.Fingerprint, error) { return reload.Files(path) },
		Load:        func(datedList) (datedList, error) { return readTokens(path) },
		Attributes:  func(f datedList) []slog.Attr { return []slog.Attr{slog.Int("tokens", len(f.list))} },
	})
	if err != nil {
		return nil, err
	}
	t := &Tokens{source}
	return t, t.measure()
}

// measure tells how old the file is. A new token beside the old ones makes it
// young, as with signing secrets.
func (t *Tokens) measure() error {
	_, err := otel.Meter("github.com/hookstream/hookstream/dlq/auth").Float64ObservableGauge(
		"hookstream.dlq.tokens.age", metric.WithUnit("s"),
		metric.WithDescription("Time since the file of the API's tokens was written."),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			o.Observe(t.age(time.Now()).Seconds())
			return nil
		}))
	return err
}

// age is how long ago the file in force was written.
func (t *Tokens) age(now time.Time) time.Duration { return now.Sub(t.Value().changed) }

// caller is who has the token, or nil. All entries are compared, each in
// constant time, so that the time says nothing of them.
func (t *Tokens) caller(token string) *Caller {
	sum := sha256.Sum256([]byte(token))
	var found *Caller
	for _, e := range t.Value().list {
		if subtle.ConstantTimeCompare(e.sum[:], sum[:]) == 1 {
			found = e.caller
		}
	}
	return found
}

func readTokens(path string) (datedList, error) {
	f, err := os.Open(path)
	if err != nil {
		return datedList{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return datedList{}, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxTokensBytes+1))
	if err != nil {
		return datedList{}, err
	}
	if len(text) > maxTokensBytes {
		return datedList{}, fmt.Errorf("%s is larger than %d KiB", path, maxTokensBytes>>10)
	}
	list, err := parseTokens(path, string(text))
	return datedList{list, info.ModTime()}, err
}

func parseTokens(path, text string) (tokenList, error) {
	var list tokenList
	n := 0
	for line := range strings.Lines(text) {
		n++
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		if err := list.add(strings.Fields(line)); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
	}
	return list, nil
}

var errLine = errors.New("want a name, the SHA-256 of the token in 64 hexadecimal digits, and scopes such as read,simulate,replay,discard")

// add never quotes a line: someone may have put the token itself there.
func (l *tokenList) add(fields []string) error {
	if len(fields) != 3 || strings.ContainsFunc(fields[0], func(r rune) bool { return !unicode.IsPrint(r) }) {
		return errLine
	}
	sum, err := hex.DecodeString(fields[1])
	if err != nil || len(sum) != sha256.Size {
		return errLine
	}
	e := entry{sum: [sha256.Size]byte(sum), caller: &Caller{Name: "token/" + fields[0]}}
	for _, name := range strings.Split(fields[2], ",") {
		s := Scope(name)
		if !slices.Contains(Scopes(), s) {
			return errLine
		}
		e.caller.Scopes = append(e.caller.Scopes, s)
	}
	for _, other := range *l {
		if other.caller.Name == e.caller.Name || other.sum == e.sum {
			return errors.New("this name or token is listed before; each caller needs its own, or the audit could not tell them apart")
		}
	}
	*l = append(*l, e)
	return nil
}
