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
	"unicode/utf8"

	"github.com/itchyny/gojq"

	"github.com/hookstream/hookstream/dlq/internal/indent"
	"github.com/hookstream/hookstream/schemas/mapping"
	"github.com/hookstream/hookstream/schemas/record"
)

// MaxPatch is the longest jq program, in bytes.
const MaxPatch = 16 << 10

// Patch is a jq program that turns a payload into the one to send.
type Patch struct {
	source  string
	program *mapping.Program
}

// ParsePatch compiles a jq program. It has neither files nor environment, and for
// each payload the steps and bytes that a mapping has for an event.
func ParsePatch(source string) (*Patch, error) {
	if len(source) > MaxPatch {
		return nil, fmt.Errorf("--patch %.40q: want at most %d bytes of jq", source, MaxPatch)
	}
	program, err := mapping.CompileProgram(source)
	if err != nil {
		return nil, fmt.Errorf("--patch %q: %w", source, err)
	}
	return &Patch{source, program}, nil
}

// Apply gives the payload to send and what was changed, or no edit where the
// program changes nothing. Numbers keep the digits that they have; members are
// sorted by name, as jq -S does.
func (p *Patch) Apply(ctx context.Context, payload []byte) ([]byte, *record.Edit, error) {
	input, err := decode(payload)
	if err != nil {
		return nil, nil, err
	}
	output, err := p.program.Run(ctx, input)
	if err != nil {
		return nil, nil, fmt.Errorf("the patch cannot be applied to it: %w", err)
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
		if sorted, err := json.Marshal(v); err == nil {
			payload = sorted
		}
		if text, ok := indent.JSON(payload); ok {
			payload = text
		}
	}
	return strings.Split(strings.TrimSuffix(string(payload), "\n"), "\n")
}
