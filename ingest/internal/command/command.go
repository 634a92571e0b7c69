// SPDX-License-Identifier: Apache-2.0

// Package command holds the commands that the program ingest has beside the
// service: the catalogue of providers, checks of definitions, signed requests
// for tests, and the verification of what is stored.
package command

import (
	"bytes"
	"encoding/json"
	"io"
)

// Commands are kong's commands.
type Commands struct {
	Providers     providersCommand `cmd:"" help:"List the providers, or show how to connect one."`
	CheckProvider checkCommand     `cmd:"" help:"Check provider definitions against their examples and fixtures."`
	Sign          signCommand      `cmd:"" help:"Print a curl command that sends a signed webhook."`
	VerifyRecord  verifyCommand    `cmd:"" help:"Verify a stored record again, from the evidence on it."`
	OpenAPI       openAPICommand   `cmd:"" name:"openapi" help:"Print the OpenAPI description of the edge."`
}

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
