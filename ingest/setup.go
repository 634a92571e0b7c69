// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"fmt"
	"log/slog"

	"github.com/hookstream/hookstream/ingest/internal/edge"
	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/stage/reload"
)

// setup is the definitions and the secrets in force. They change together: keys
// are decoded as a definition says, and a new provider's secret may arrive before
// its definition.
type setup struct {
	*edge.Setup
	providers, pairs int
}

// follow reads the definitions and the secrets, and makes the setup again when
// either changes.
func (s *Service) follow(trust verify.Trust) (*reload.Source[setup], error) {
	ages, err := secret.NewAges()
	if err != nil {
		return nil, err
	}
	return reload.New(reload.Config[setup]{
		Name: "definitions and secrets", Log: s.log, Status: s.health.Reporter(partSetup),
		Fingerprint: s.cfg.fingerprint,
		Load:        func(setup) (setup, error) { return s.cfg.setup(trust, ages) },
		Attributes: func(s setup) []slog.Attr {
			return []slog.Attr{slog.Int("providers", s.providers), slog.Int("pairs", s.pairs)}
		},
	})
}

func (c *Config) fingerprint() (reload.Fingerprint, error) {
	definitions, err := reload.Folder(c.DefinitionsDir, "*.yaml")
	if err != nil {
		return reload.Fingerprint{}, fmt.Errorf("HOOKSTREAM_DEFINITIONS_DIR: %w", err)
	}
	entries, err := secret.Load(c.SecretsDir, c.Secrets)
	if err != nil {
		return reload.Fingerprint{}, err
	}
	return reload.Join(definitions, secret.Fingerprint(entries)), nil
}

func (c *Config) setup(trust verify.Trust, ages *secret.Ages) (setup, error) {
	catalog, err := provider.Load(c.DefinitionsDir)
	if err != nil {
		return setup{}, err
	}
	verifiers, err := verify.CompileAll(catalog, trust)
	if err != nil {
		return setup{}, err
	}
	entries, err := secret.Load(c.SecretsDir, c.Secrets)
	if err != nil {
		return setup{}, err
	}
	weaker, err := c.weaker()
	if err != nil {
		return setup{}, err
	}
	if err := weaker.Check(verifiers); err != nil {
		return setup{}, fmt.Errorf("HOOKSTREAM_WEAKER_SCHEMES: %w", err)
	}
	ring, err := verify.NewKeyring(entries, verifiers, weaker.Allows)
	if err != nil {
		return setup{}, err
	}
	ages.Set(entries)
	return setup{edge.NewSetup(catalog, verifiers, ring), len(catalog), ring.Len()}, nil
}
