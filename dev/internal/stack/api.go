// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"os"

	"github.com/hookstream/hookstream/dlq"
	"github.com/hookstream/hookstream/schemas/setting"
)

// startAPI runs what `dlq serve` runs, where it is asked for.
func (s *Stack) startAPI(ctx context.Context) error {
	if s.opts.APIAddress == "" {
		return nil
	}
	tokens, err := s.tokensFile()
	if err != nil {
		return err
	}
	var cfg dlq.ServiceConfig
	if err := dlq.Info.Defaults(&cfg); err != nil {
		return err
	}
	cfg.Kafka, cfg.Database, cfg.DefinitionsDir = s.Kafka, setting.Secret(s.Database), s.opts.DefinitionsDir
	cfg.AdminAddress = cmp.Or(s.opts.AdminAddresses["dlq"], "127.0.0.1:0")
	cfg.API.Address, cfg.API.TokensFile = s.opts.APIAddress, tokens
	api, err := dlq.New(cfg, s.opts.Log.With("service", "dlq")) //nolint:contextcheck // New opens listeners and waits for nothing
	if err != nil {
		return err
	}
	s.run(ctx, "dlq", api)
	s.apiAddress = api.Address()
	return nil
}

// tokensFile writes the file of the one caller, which goes with the stack.
func (s *Stack) tokensFile() (string, error) {
	f, err := os.CreateTemp("", "hookstream-tokens-")
	if err != nil {
		return "", err
	}
	s.started("file of tokens", func(context.Context) error { return os.Remove(f.Name()) })
	if _, err := fmt.Fprintf(f, "operator %x read,simulate,replay,discard\n", sha256.Sum256([]byte(s.opts.APIToken))); err != nil {
		_ = f.Close() // the error says enough
		return "", err
	}
	return f.Name(), f.Close()
}
