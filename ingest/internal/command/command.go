// SPDX-License-Identifier: Apache-2.0

// Package command holds the commands that the program ingest has beside the
// service: the catalogue of providers, checks of definitions, signed requests
// for tests, and the verification of what is stored.
package command

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"

	"github.com/alecthomas/kong"
)

// Commands are kong's commands.
type Commands struct {
	Providers     providersCommand `cmd:"" help:"List the providers, or show how to connect one."`
	CheckProvider checkCommand     `cmd:"" help:"Check provider definitions against their examples."`
	Sign          signCommand      `cmd:"" help:"Print a curl command that sends a signed webhook."`
	VerifyRecord  verifyCommand    `cmd:"" help:"Verify a stored record again, from the evidence on it."`
	OpenAPI       openAPICommand   `cmd:"" name:"openapi" help:"Print the OpenAPI description of the edge."`
}

// exit ends a command that has said itself what there is to say.
type exit int

// Error says nothing more.
func (exit) Error() string { return "" }

// ExitCode implements kong.ExitCoder.
func (e exit) ExitCode() int { return int(e) }

// writeJSON writes v indented.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// painter colours text where a person looks at it.
type painter bool

// paint decides for the output of a command: a terminal that wants colour
// (https://no-color.org).
func paint(k *kong.Context) painter {
	f, ok := k.Stdout.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return painter(err == nil && info.Mode()&os.ModeCharDevice != 0)
}

// SGR colours (ECMA-48, 8.3.117).
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (p painter) text(s, sgr string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}

// clean makes text that strangers chose safe for a terminal.
func clean(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.QuoteToGraphic(s)
	}
	return s
}
