// SPDX-License-Identifier: Apache-2.0

package transform

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/stage/failure"
)

func registryClient(cfg *Config) (*sr.Client, error) {
	opts := []sr.ClientOpt{sr.URLs(cfg.RegistryURL)}
	if cfg.RegistryUser != "" {
		opts = append(opts, sr.BasicAuth(cfg.RegistryUser, cfg.RegistryPassword.Reveal()))
	}
	return sr.NewClient(opts...)
}

// registerSchemas makes sure that the registry has the schema of every entity.
// It waits while the registry is away: without ids nothing can be encoded.
func (s *Service) registerSchemas(ctx context.Context) (*registry.Encoder, error) {
	var encoder *registry.Encoder
	s.health.Set(partSchemas, false, "waiting for the schema registry")
	err := failure.Retry(ctx, failure.DefaultBackoff,
		func(ctx context.Context) (err error) {
			encoder, err = registry.NewEncoder(ctx, s.registry, s.cfg.Kafka.Topics.Events)
			return classifyRegistry(err)
		},
		func(failures int, _ time.Duration, err error) {
			s.health.Set(partSchemas, false, err.Error())
			s.log.WarnContext(ctx, "cannot register schemas yet", "attempt", failures, "error", err)
		})
	if err != nil {
		return nil, err
	}
	s.health.Set(partSchemas, true, "")
	return encoder, nil
}

// refusals are the answers with which a registry will not change its mind:
// wrong credentials, no rights, an incompatible or invalid schema.
var refusals = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict, http.StatusUnprocessableEntity}

func classifyRegistry(err error) error {
	var answer *sr.ResponseError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, registry.ErrIncompatible):
		return failure.NewFatal("%w: release the change under a new topic version, or take it back", err)
	case errors.As(err, &answer) && slices.Contains(refusals, answer.StatusCode):
		return failure.NewFatal("%w (HOOKSTREAM_REGISTRY_URL, HOOKSTREAM_REGISTRY_USER, HOOKSTREAM_REGISTRY_PASSWORD)", err)
	}
	return err
}
