// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"

	"github.com/hookstream/hookstream/dev/internal/bench/instructions"
)

type benchInstructionsCommand struct {
	Baseline string `help:"File of what was accepted." default:"bench/instructions.json" type:"path"`
	Update   bool   `help:"Accept what was counted."`
}

// Help is what --help adds.
func (benchInstructionsCommand) Help() string {
	return `Exit code 1 means that a path takes 3 % more instructions than its baseline for this
version of Go and this architecture. Where there is none, nothing is compared. Needs
valgrind. A rise that is worth it is accepted with --update.`
}

// Run implements the command.
func (c *benchInstructionsCommand) Run(ctx context.Context) error {
	baseline, err := instructions.Load(c.Baseline)
	if err != nil {
		return err
	}
	now, err := instructions.Count(ctx, instructions.Paths)
	if err != nil {
		return err
	}
	if err := baseline.Write(os.Stdout, instructions.Paths, now); err != nil {
		return err
	}
	if c.Update {
		return baseline.Save(c.Baseline, now)
	}
	if len(baseline.Risen(instructions.Paths, now)) > 0 {
		return errFailed
	}
	return nil
}
