// SPDX-License-Identifier: Apache-2.0

package transform

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
	"golang.org/x/sync/errgroup"

	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
)

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

// How often the registry is asked whether it has the schemas that events are written
// with, how long its answer may take, and how often in a row it must deny it.
const (
	verifyEvery   = 5 * time.Second
	verifyTimeout = 10 * time.Second
	denials       = 2
)

// whileRegistered runs work while the registry has the schemas that e writes, and ends
// it where it denies that: nobody could read what would be written. It does not
// register them anew, because other ids would leave all that was written unreadable.
// A registry that is away is not needed.
func (s *Service) whileRegistered(ctx context.Context, e *registry.Encoder, work func(context.Context) error) error {
	return kafka.Sessions(ctx, s.log, s.health.Reporter(partSchemas), func(ctx context.Context) error {
		if err := s.verify(ctx, e); err != nil {
			return err
		}
		s.health.Set(partSchemas, true, "")
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error { return s.watchSchemas(ctx, e) })
		g.Go(func() error { return work(ctx) })
		return g.Wait()
	})
}

// watchSchemas returns an error when the registry has denied a schema several times.
func (s *Service) watchSchemas(ctx context.Context, e *registry.Encoder) error {
	for denied := 0; failure.Sleep(ctx, verifyEvery) == nil; {
		err := s.verify(ctx, e)
		if err == nil {
			denied = 0
			continue
		}
		if denied++; denied == denials {
			return err
		}
	}
	return nil
}

// verify is an error only where the registry denies a schema.
func (s *Service) verify(ctx context.Context, e *registry.Encoder) error {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	if err := e.Verify(ctx, s.registry); errors.Is(err, registry.ErrLost) {
		return err
	}
	return nil
}

// credentials are answers that are for a person to mend, and incompatible those to a
// schema that the registry's own rules refuse, if it is the registry that answers.
var (
	credentials  = []int{http.StatusUnauthorized, http.StatusForbidden}
	incompatible = []int{http.StatusConflict, http.StatusUnprocessableEntity}
)

func classifyRegistry(err error) error {
	var answer *sr.ResponseError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, registry.ErrIncompatible):
		return failure.NewFatal("%w: release the change under a new topic version, or take it back", err)
	case errors.As(err, &answer) && answer.ErrorCode != 0 && slices.Contains(incompatible, answer.StatusCode):
		return failure.NewFatal("%w: set the subject's compatibility to FULL_TRANSITIVE, or to NONE: hookstream compares the versions itself", err)
	case errors.As(err, &answer) && slices.Contains(credentials, answer.StatusCode):
		return failure.NewFatal("%w (HOOKSTREAM_REGISTRY_URL, HOOKSTREAM_REGISTRY_USER, HOOKSTREAM_REGISTRY_PASSWORD)", err)
	}
	return err
}
