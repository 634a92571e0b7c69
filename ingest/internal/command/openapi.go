// SPDX-License-Identifier: Apache-2.0

package command

import (
	"io"

	"github.com/alecthomas/kong"

	"github.com/hookstream/hookstream/ingest/internal/openapi"
)

type openAPICommand struct{}

// Help is shown below the usage.
func (*openAPICommand) Help() string {
	return `Example:
  ingest openapi > ingest.yaml`
}

// Run prints the document.
func (*openAPICommand) Run(k *kong.Context) error {
	text, err := openapi.Document()
	if err != nil {
		return err
	}
	_, err = io.WriteString(k.Stdout, text)
	return err
}
