// SPDX-License-Identifier: Apache-2.0

// Package command holds the commands that the program sink has beside the
// service: how far it is, and the DDL for those who run that themselves.
package command

// Commands are kong's commands.
type Commands struct {
	Status statusCommand `cmd:"" help:"Show how far the sink is, and what it tries again."`
	DDL    ddlCommand    `cmd:"" name:"ddl" help:"Print the DDL of the database, or what a database lacks of it."`
}
