// SPDX-License-Identifier: Apache-2.0

package auth

import (
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
	"unicode"

	"github.com/hookstream/hookstream/stage/reload"
)

// maxTokensBytes bounds the file: every request is compared with all of it.
const maxTokensBytes = 256 << 10

// Tokens are those that a file lists. Each line is a name, the SHA-256 of the
// token in hexadecimal, and the scopes with commas between; # begins a comment.
type Tokens struct{ *reload.Source[tokenList] }

type tokenList []entry

type entry struct {
	sum    [sha256.Size]byte
	caller *Caller
}

// NewTokens reads the file for the first time.
func NewTokens(path string, log *slog.Logger) (*Tokens, error) {
	source, err := reload.New(reload.Config[tokenList]{
		Name: "tokens", Log: log,
		Fingerprint: func() (reload.Fingerprint, error) { return reload.Files(path) },
		Load:        func(tokenList) (tokenList, error) { return readTokens(path) },
		Attributes:  func(l tokenList) []slog.Attr { return []slog.Attr{slog.Int("tokens", len(l))} },
	})
	if err != nil {
		return nil, err
	}
	return &Tokens{source}, nil
}

// caller is who has the token, or nil. All entries are compared, each in
// constant time, so that the time says nothing of them.
func (t *Tokens) caller(token string) *Caller {
	sum := sha256.Sum256([]byte(token))
	var found *Caller
	for _, e := range t.Value() {
		if subtle.ConstantTimeCompare(e.sum[:], sum[:]) == 1 {
			found = e.caller
		}
	}
	return found
}

func readTokens(path string) (tokenList, error) {
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
	var list tokenList
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
	for _, other := range *l {
		if other.caller.Name == e.caller.Name || other.sum == e.sum {
			return errors.New("this name or token is listed before; each caller needs its own, or the audit could not tell them apart")
		}
	}
	*l = append(*l, e)
	return nil
}
