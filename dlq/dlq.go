// SPDX-License-Identifier: Apache-2.0

// Package dlq is the operators' tool for dead letters: list them, show one,
// replay or discard them. It needs Kafka and nothing else.
package dlq

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"

	"github.com/alecthomas/kong"

	"github.com/hookstream/hookstream/dlq/internal/console"
	"github.com/hookstream/hookstream/schemas/setting"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/service"
)

// Exit codes. They are part of the tool's contract and in its help.
const (
	exitOK      = 0
	exitFailed  = service.ExitFailed
	exitUsage   = service.ExitUsage
	exitPartial = service.ExitPartial
	// exitIncomplete is hookstream's: an answer that lacks what a source would
	// have told that is configured and could not be asked.
	exitIncomplete = 4
)

// Config is the command line.
type Config struct {
	Kafka    kafka.Config   `embed:"" group:"kafka"`
	Database setting.Secret `name:"database-url" group:"kafka" help:"The sink's Postgres, to tell what became of replays; only its ledger is read. Without it that is unknown." env:"HOOKSTREAM_DATABASE_URL" placeholder:"URL"`

	Stats       statsCommand       `cmd:"" help:"Count dead letters by what failed."`
	List        listCommand        `cmd:"" help:"List dead letters, newest first."`
	Show        showCommand        `cmd:"" help:"Show everything about one dead letter."`
	Simulate    simulateCommand    `cmd:"" help:"Say how many would pass with the definitions of now, and send nothing."`
	Replay      replayCommand      `cmd:"" help:"Send dead letters through the pipeline again."`
	Edit        editCommand        `cmd:"" help:"Mend the payload of one dead letter and replay it."`
	Discard     discardCommand     `cmd:"" help:"Close dead letters without sending them again."`
	Undo        undoCommand        `cmd:"" help:"Take discards back: the dead letters are open again."`
	Export      exportCommand      `cmd:"" help:"Write dead letters to standard output, every byte of them, as lines of JSON."`
	Import      importCommand      `cmd:"" help:"Put exported dead letters back on the topic."`
	Held        heldCommand        `cmd:"" help:"List what transform holds until its definition is corrected."`
	History     historyCommand     `cmd:"" help:"Tell who did what, when, to which."`
	Tail        tailCommand        `cmd:"" help:"Follow dead letters as they arrive."`
	Serve       serveCommand       `cmd:"" help:"Offer all of this as an HTTP API, with metrics of what is open."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask the API running on this machine whether it is ready; exit 0 or 1."`
	Completion  completionCommand  `cmd:"" help:"Print a script that completes this command line in a shell."`
	Version     kong.VersionFlag   `help:"Print the version and exit."`
}

// usageError is the operator's to correct.
type usageError struct{ error }

// Unwrap is the cause.
func (u usageError) Unwrap() error { return u.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errPartial ends a command that has said itself what it could not do.
var errPartial = errors.New("not everything was done")

// errIncomplete ends a command that has said itself which source was not asked.
var errIncomplete = errors.New("not every source could be asked")

// Main runs the command line args and returns the exit code. When ctx ends, the
// transaction in hand is finished first.
func Main(ctx context.Context, c *console.Console, args []string) int {
	var cfg Config
	parser, err := kong.New(&cfg,
		kong.Name("dlq"), kong.Description(description), kong.Writers(c.Out, c.Err),
		kong.Help(help), kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Vars{"version": service.Version(), "by": operator(), "admin_address": Info.AdminAddress},
		kong.ExplicitGroups([]kong.Group{
			{Key: "filter", Title: "Which dead letters:", Description: "All flags must match; of one flag's several values, one."},
			{Key: "kafka", Title: "Kafka, as the services are configured (dlq --help has all):"},
		}),
	)
	if err != nil {
		return report(c, err)
	}
	command, err := parser.Parse(args)
	if err != nil {
		return report(c, usage("%w (see dlq --help)", setting.Explain(parser.Model, err)))
	}
	s := &session{ctx: ctx, cfg: &cfg.Kafka, database: cfg.Database, Console: c}
	defer s.close() //nolint:contextcheck // the session has it
	return report(c, command.Run(s, parser))
}

func report(c *console.Console, err error) int { return reportAs("dlq", c, err) }

// reportAs says on behalf of a program what went wrong, and gives its exit code.
func reportAs(program string, c *console.Console, err error) int {
	var wrong usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errPartial):
		return exitPartial
	case errors.Is(err, errIncomplete):
		return exitIncomplete
	case errors.Is(err, errStopped):
		return exitFailed
	case errors.As(err, &wrong), errors.Is(err, console.ErrNobody):
		fmt.Fprintln(c.Err, program+":", err)
		return exitUsage
	case errors.Is(err, context.Canceled):
		err = errors.New("interrupted; what is done stays done, and the same command again goes on from there")
	}
	fmt.Fprintln(c.Err, program+":", err)
	return exitFailed
}

// operator is who replays, by default: user@host.
func operator() string {
	name := os.Getenv("USER")
	if u, err := user.Current(); name == "" && err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + host
}
