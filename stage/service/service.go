// SPDX-License-Identifier: Apache-2.0

// Package service is the life of a service's process: configuration, telemetry,
// signals, drain and exit code.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/hookstream/hookstream/schemas/setting"
	"github.com/hookstream/hookstream/stage/admin"
	"github.com/hookstream/hookstream/stage/telemetry"
	"github.com/hookstream/hookstream/stage/tracing"
)

// Common is the configuration that every service has.
type Common struct {
	AdminAddress string          `help:"Address of the listener for /livez, /readyz and /metrics; empty for none." default:"${admin_address}" env:"HOOKSTREAM_ADMIN_ADDRESS" is:"optional listener"`
	PprofAddress string          `help:"Address of a listener for Go's profiles, /debug/pprof/; empty for none. Let only operators reach it: 127.0.0.1:6060." env:"HOOKSTREAM_PPROF_ADDRESS" is:"optional listener"`
	LogLevel     telemetry.Level `help:"Lowest level that is logged: debug, info, warn or error." default:"info" env:"HOOKSTREAM_LOG_LEVEL" is:"level"`
	TraceTenants bool            `help:"Name the tenant in spans. Only where the names of tenants are no secret from those who read traces." env:"HOOKSTREAM_TRACE_TENANTS"`
	DrainTimeout time.Duration   `help:"How long work in hand may take to finish at shutdown." default:"20s" env:"HOOKSTREAM_DRAIN_TIMEOUT" bounds:"1s..1h"`
}

// Settings returns c, for structs that embed it.
func (c *Common) Settings() *Common { return c }

// Configured is a service's configuration: a pointer to a struct with kong's
// tags that embeds Common.
type Configured interface {
	// Validate checks what belongs together; errors name the variable.
	Validate() error
	Settings() *Common
}

// Info describes a service's program.
type Info struct {
	Name        string
	Description string
	// AdminAddress is the default of HOOKSTREAM_ADMIN_ADDRESS.
	AdminAddress string
}

// Start runs a configured service until ctx ends.
type Start func(ctx context.Context, log *slog.Logger) error

// options are kong's for parsing the configuration.
func (i Info) options() []kong.Option {
	return []kong.Option{
		kong.Name(i.Name), kong.Description(i.Description), kong.UsageOnError(),
		kong.Vars{"version": Version(), "admin_address": i.AdminAddress},
	}
}

// Defaults fills cfg from the environment and the defaults, as a start without
// flags would. It does not validate: the caller may have more to set.
func (i Info) Defaults(cfg Configured) error {
	parser, err := kong.New(cfg, i.options()...)
	if err != nil {
		return err
	}
	trace, err := kong.Trace(parser, nil)
	if err != nil {
		return err
	}
	return errors.Join(trace.Resolve(), trace.ApplyDefaults())
}

// Main parses flags and environment into cfg, runs the service until SIGINT or
// SIGTERM, lets it drain, and exits. A second signal exits at once.
//
// Commands are pointers to structs of kong's commands that the program has
// beside the service. A command's Run gets a context.Context, which the same
// signals end, and the *kong.Context that it writes to; its error may be a
// kong.ExitCoder.
func (i Info) Main(cfg Configured, start Start, commands ...any) {
	os.Exit(i.run(cfg, start, os.Args[1:], commands))
}

func (i Info) run(cfg Configured, start Start, args []string, commands kong.Plugins) int {
	var cli struct {
		Run struct {
			kong.Plugins
		} `cmd:"" default:"withargs" help:"Run the service (the default)."`
		Healthcheck struct{} `cmd:"" help:"Ask the service running on this machine whether it is ready; exit 0 or 1."`
		kong.Plugins
		Version kong.VersionFlag `help:"Print the version and exit."`
	}
	cli.Run.Plugins, cli.Plugins = kong.Plugins{cfg}, commands
	parser, err := kong.New(&cli, i.options()...)
	if err != nil {
		fmt.Fprintln(os.Stderr, i.Name+":", err)
		return ExitUsage
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, i.Name+":", setting.Explain(parser.Model, err))
		return ExitUsage
	}
	switch parsed.Selected().Name {
	case "run":
		return serve(i.Name, cfg, start)
	case "healthcheck":
		// Only the address matters; what else is wrong the service itself says.
		_ = i.Defaults(cfg)
		return Healthcheck(cfg.Settings().AdminAddress)
	}
	return execute(i.Name, parsed)
}

// execute runs one of the program's other commands.
func execute(name string, command *kong.Context) int {
	ctx, stop := untilSignal()
	defer stop()
	command.BindTo(ctx, (*context.Context)(nil))
	err := command.Run()
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(command.Stderr, name+":", text)
	}
	var coded kong.ExitCoder
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return ExitFailed
}

// untilSignal is a context that ends with SIGINT or SIGTERM. Once the first was
// seen, the next one has its default effect.
func untilSignal() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

func serve(name string, cfg Configured, start Start) int {
	RaiseHeapFloor()
	log, err := telemetry.Logger(name, cfg.Settings().LogLevel)
	if err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		return ExitUsage
	}
	ctx, stop := untilSignal()
	defer stop()
	tracing.ShowTenants(cfg.Settings().TraceTenants)
	flush, err := telemetry.Start(ctx, name, Version())
	if err != nil {
		log.Error("cannot start", "error", err)
		return ExitFailed
	}
	log.Info("starting", "version", Version())
	err = profiled(ctx, cfg.Settings().PprofAddress, log, start)
	flushCtx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if ferr := flush(flushCtx); ferr != nil && !errors.Is(ferr, context.DeadlineExceeded) {
		log.Warn("telemetry was not flushed", "error", ferr)
	}
	if err != nil {
		log.Error("stopped by a failure", "error", err)
		return ExitFailed
	}
	log.Info("stopped")
	return 0
}

// profiled runs the service beside the listener for profiles, which outlives ctx:
// a drain that hangs is what one wants to see.
func profiled(ctx context.Context, address string, log *slog.Logger, start Start) error {
	profiles, err := admin.ListenPprof(ctx, address, log)
	if err != nil {
		return err
	}
	if profiles != nil {
		log.InfoContext(ctx, "profiles are served", "address", profiles.Address())
	}
	return Serve(ctx, profiles, func(ctx context.Context) error { return start(ctx, log) })
}
