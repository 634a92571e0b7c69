// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	_ "embed"
	"io"
	"os"
	"os/exec"
	"syscall"
)

//go:embed supervisor.sh
var supervisorScript string

// supervise starts supervisor.sh for the given server. The server lives until
// the returned pipe is closed, which the kernel does too when this process dies.
func supervise(bin string, dirs folders, runner *account, options Options, log io.Writer) (*exec.Cmd, io.Closer, error) {
	var initSync, revive string
	if options.NoSync {
		initSync = "--no-sync"
	}
	if options.Revive {
		revive = "revive"
	}
	args := []string{"-c", supervisorScript, "hookstream-postgres",
		bin, dirs.data, dirs.sockets, dirs.scratch, superuser, initSync, revive}
	//nolint:noctx // the pipe ends it; a context's kill would reach only the shell
	cmd := exec.Command("/bin/sh", append(args, settings(dirs.sockets, options)...)...)
	cmd.Dir = "/" // ours may be closed to the account
	cmd.Env = environment()
	cmd.Stderr = log
	// A session of its own: a Ctrl-C in the terminal must not stop the server
	// before the services have drained.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: runner.credential()}
	owner, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	return cmd, owner, nil
}

// environment is what Postgres needs of ours and no more: PG* variables would
// change the server, others may be secrets. LC_ALL also keeps messages English
// and avoids "postmaster became multithreaded" on macOS.
func environment() []string {
	env := []string{"LC_ALL=C"}
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// settings are the arguments of postgres. They are given on the command line
// and not in postgresql.conf, so that an old data folder follows a new version.
func settings(sockets string, options Options) []string {
	values := []string{
		"listen_addresses=", // no TCP: who may enter the socket's folder is the whole access control
		"unix_socket_directories=" + sockets,
		"unix_socket_permissions=0700",
		"port=" + port,
		"max_connections=100",
		"shared_buffers=64MB",
		"timezone=UTC",
		"log_timezone=UTC",
		"log_destination=stderr",
		"logging_collector=off",
		"log_line_prefix=",
		// Errors of statements quote values, that is payloads. Their client gets
		// them anyway, so they stay out of the log.
		"log_min_messages=log",
		"log_min_error_statement=panic",
		"log_error_verbosity=terse",
	}
	if options.NoSync {
		values = append(values, "fsync=off", "full_page_writes=off", "synchronous_commit=off")
	}
	values = append(values, options.Settings...) // of two, the server takes the last
	args := make([]string, 0, 2*len(values))
	for _, value := range values {
		args = append(args, "-c", value)
	}
	return args
}
