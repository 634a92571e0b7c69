// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"bytes"
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
	"sync/atomic"
	"time"
	"unicode"
)

// maxTokensBytes bounds the file: every request is compared with all of it.
const maxTokensBytes = 256 << 10

// Tokens are those that a file lists. Each line is a name, the SHA-256 of the
// token in hexadecimal, and the scopes with commas between; # begins a comment.
type Tokens struct {
	path  string
	log   *slog.Logger
	state atomic.Pointer[tokenList]

	// Only Run uses these: what is wrong with the file, and whether that was
	// logged.
	wrong string
	told  bool
}

type tokenList struct {
	text    []byte
	entries []entry
}

type entry struct {
	sum    [sha256.Size]byte
	caller *Caller
}

// NewTokens reads the file for the first time.
func NewTokens(path string, log *slog.Logger) (*Tokens, error) {
	list, err := readTokens(path)
	if err != nil {
		return nil, err
	}
	t := &Tokens{path: path, log: log}
	t.state.Store(list)
	return t, nil
}

// Run reads the file at every tick until ctx ends, and returns nil. A changed
// file is in force as a whole, or not at all where anything in it is wrong.
func (t *Tokens) Run(ctx context.Context, ticks <-chan time.Time) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks:
			t.reload(ctx)
		}
	}
}

func (t *Tokens) reload(ctx context.Context) {
	list, err := readTokens(t.path)
	if err != nil {
		t.keep(ctx, err)
		return
	}
	t.wrong, t.told = "", false
	// Contents are compared, not times: Kubernetes swaps a link two folders up.
	if !bytes.Equal(list.text, t.state.Load().text) {
		t.state.Store(list)
		t.log.InfoContext(ctx, "read changed tokens", "tokens", len(list.entries))
	}
}

// keep leaves the tokens in force. It complains once, at the second reading: the
// first may have seen the file while it was being replaced.
func (t *Tokens) keep(ctx context.Context, err error) {
	switch text := err.Error(); {
	case text != t.wrong:
		t.wrong, t.told = text, false
	case !t.told:
		t.told = true
		t.log.ErrorContext(ctx, "the changed tokens are not used, those before stay in force; correct the file", "error", err)
	}
}

// caller is who has the token, or nil. All entries are compared, each in
// constant time, so that the time says nothing of them.
func (t *Tokens) caller(token string) *Caller {
	sum := sha256.Sum256([]byte(token))
	var found *Caller
	for _, e := range t.state.Load().entries {
		if subtle.ConstantTimeCompare(e.sum[:], sum[:]) == 1 {
			found = e.caller
		}
	}
	return found
}

func readTokens(path string) (*tokenList, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxTokensBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxTokensBytes {
		return nil, fmt.Errorf("%s is larger than %d KiB", path, maxTokensBytes>>10)
	}
	list := &tokenList{text: text}
	n := 0
	for line := range strings.Lines(string(text)) {
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

var errLine = errors.New("want a name, the SHA-256 of the token in 64 hexadecimal digits, and scopes such as read,replay,discard")

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
	for _, other := range l.entries {
		if other.caller.Name == e.caller.Name || other.sum == e.sum {
			return errors.New("this name or token is listed before; each caller needs its own, or the audit could not tell them apart")
		}
	}
	l.entries = append(l.entries, e)
	return nil
}
