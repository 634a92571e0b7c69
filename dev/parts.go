// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/hookstream/hookstream/dev/internal/check"
	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/workload"
	"github.com/hookstream/hookstream/stage/telemetry"
	"github.com/hookstream/hookstream/stage/tracing"
)

// parts are the flags that both commands share: which parts are real.
type parts struct {
	DataDir     string   `help:"Folder that keeps the embedded parts' data over restarts." type:"path" placeholder:"DIR"`
	Brokers     []string `help:"Kafka brokers to use instead of the embedded one." placeholder:"HOST:PORT"`
	DatabaseURL string   `help:"PostgreSQL to use instead of a private one." placeholder:"URL"`
	RegistryURL string   `help:"Schema registry to use instead of the embedded one." placeholder:"URL"`
	Definitions string   `help:"Folder of provider definitions laid over the embedded ones." type:"existingdir" placeholder:"DIR"`
	Secrets     string   `help:"Folder of signing secrets beside those of the samples: files TENANT/PROVIDER, one secret a line." type:"existingdir" placeholder:"DIR"`
	LogFile     string   `help:"File for the services' logs; - is standard error. By default each run has its own in ${log_dir}, to the newest of which hookstream.log there links." placeholder:"FILE"`
	LogLevel    string   `help:"Lowest level that is logged." default:"info" enum:"debug,info,warn,error"`
}

// logger opens the log and starts telemetry. The returned function closes both.
func (p *parts) logger(ctx context.Context) (*slog.Logger, func(), error) {
	w, err := p.openLog()
	if err != nil {
		return nil, nil, fmt.Errorf("log file: %w", err)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(p.LogLevel)); err != nil {
		return nil, nil, err
	}
	log := slog.New(tracing.LogHandler(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})))
	slog.SetDefault(log)
	flush, err := telemetry.Start(ctx, "hookstream-dev", "dev")
	if err != nil {
		return nil, nil, err
	}
	return log, func() {
		_ = flush(context.WithoutCancel(ctx)) // the process ends; nobody is left to tell
		if w != os.Stderr {
			_ = w.Close()
		}
	}, nil
}

func (p *parts) options(log *slog.Logger) stack.Options {
	return stack.Options{
		DataDir: p.DataDir, Brokers: p.Brokers, DatabaseURL: p.DatabaseURL, RegistryURL: p.RegistryURL,
		DefinitionsDir: p.Definitions, Secrets: workload.SecretList(), SecretsDir: p.Secrets,
		Address: "127.0.0.1:0", RegistryAddress: "127.0.0.1:0", Log: log,
	}
}

// target is where the checker looks for what a stack did.
func target(s *stack.Stack, log *slog.Logger) *check.Target {
	return &check.Target{
		Kafka: s.Kafka, RegistryURL: s.Registry, DatabaseURL: s.Database, Schema: s.TablesSchema, Log: log,
	}
}
