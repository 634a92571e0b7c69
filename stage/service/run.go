// SPDX-License-Identifier: Apache-2.0

package service

// Run runs a service that is parsed already until SIGINT or SIGTERM, lets it
// drain, and returns the exit code: for a program in which the service is one
// command of several. Others use Main.
func (i Info) Run(cfg Configured, start Start) int { return serve(i.Name, cfg, start) }
