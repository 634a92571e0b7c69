// SPDX-License-Identifier: Apache-2.0

// Package edit changes the payload of a dead letter before it is replayed, and
// says what was changed.
package edit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/itchyny/gojq"

	"github.com/hookstream/hookstream/schemas/record"
)

// patchTimeout bounds one payload: a jq program may not end.
const patchTimeout = 5 * time.Second

// Patch is a jq program that turns a payload into the one to send.
type Patch struct {
	source string
	code   *gojq.Code
}

// ParsePatch compiles a jq program. It has neither files nor environment.
func ParsePatch(source string) (*Patch, error) {
	query, err := gojq.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("--patch %q: %w", source, err)
	}
	code, err := gojq.Compile(query)
	if err != nil {
		return nil, fmt.Errorf("--patch %q: %w", source, err)
	}
	return &Patch{source, code}, nil
}

// Apply gives the payload to send and what was changed, or no edit where the
// program changes nothing. Numbers keep the digits that they have; members are
// sorted by name, as jq -S does.
func (p *Patch) Apply(ctx context.Context, payload []byte) ([]byte, *record.Edit, error) {
	input, err := decode(payload)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patchTimeout)
	defer cancel()
	results := p.code.RunWithContext(ctx, input)
	output, ok := results.Next()
	if !ok {
		return nil, nil, errors.New("the patch gives nothing for it")
	}
	if err, failed := output.(error); failed {
		return nil, nil, fmt.Errorf("the patch fails on it: %.200w", err)
	}
	if _, more := results.Next(); more {
		return nil, nil, errors.New("the patch gives more than one value for it")
	}
	patched, err := gojq.Marshal(output)
	if err != nil {
		return nil, nil, fmt.Errorf("the patch gives what is no JSON: %w", err)
	}
	return changed(payload, patched, p.source)
}

// ByHand says what differs between a payload and what an operator made of it.
// What is JSON must stay so.
func ByHand(payload, edited []byte) ([]byte, *record.Edit, error) {
	if json.Valid(payload) {
		if err := valid(edited); err != nil {
			return nil, nil, err
		}
	}
	var b bytes.Buffer
	if json.Compact(&b, edited) == nil {
		edited = b.Bytes()
	}
	return changed(payload, edited, "")
}

// valid says where an edited payload is no JSON.
func valid(edited []byte) error {
	var v any
	err := json.Unmarshal(edited, &v)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	before := edited[:max(0, min(int(syntax.Offset), len(edited))-1)]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Errorf("the edited payload is not JSON: line %d, column %d: %w", line, column, err)
}

func decode(payload []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, errors.New("its payload is not JSON, so it cannot be patched")
	}
	if d.More() {
		return nil, errors.New("its payload has more after the JSON, so it cannot be patched")
	}
	return v, nil
}

func changed(payload, edited []byte, patch string) ([]byte, *record.Edit, error) {
	diff := Diff(Lines(payload), Lines(edited))
	if diff == "" {
		return nil, nil, nil
	}
	return edited, &record.Edit{Patch: patch, Diff: diff}, nil
}

// Lines are those of the payload: of JSON indented and with sorted members, so
// that only what was changed differs.
func Lines(payload []byte) []string {
	if v, err := decode(payload); err == nil {
		if text, err := json.MarshalIndent(v, "", "  "); err == nil {
			payload = text
		}
	}
	return strings.Split(strings.TrimSuffix(string(payload), "\n"), "\n")
}
