// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hookstream/hookstream/dev/internal/workload"
)

// sessionTimeout of the services' consumer groups: short, so that a dead member
// is noticed soon.
const sessionTimeout = 3 * time.Second

// fleet is the services' processes.
type fleet struct {
	dir       string
	programs  map[string]string
	instances map[string][]*instance // by role
	urls      []string               // of ingest
}

// sizes is how many instances of each service run.
var sizes = map[string]int{"ingest": 2, "transform": 3, "sink": 2}

// build compiles the services, with their crash points, and the operators' tools.
func build(ctx context.Context, root, dir string) (map[string]string, error) {
	programs := map[string]string{}
	for name, module := range map[string]string{"ingest": "ingest", "transform": "transform", "sink": "sink", "dlq": "dlq", "hookstream": "dlq"} {
		programs[name] = filepath.Join(dir, name)
		cmd := exec.CommandContext(ctx, "go", "build", "-tags", "chaos", "-o", programs[name], "./"+module+"/cmd/"+name)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	return programs, nil
}

// environment is what all services share.
func environment(brokers []string, replication int, registry, database string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
		"HOOKSTREAM_BROKERS=" + strings.Join(brokers, ","),
		fmt.Sprintf("HOOKSTREAM_REPLICATION=%d", replication),
		"HOOKSTREAM_REGISTRY_URL=" + registry,
		"HOOKSTREAM_DATABASE_URL=" + database,
		"HOOKSTREAM_SECRETS=" + workload.SecretList(),
		"HOOKSTREAM_SESSION_TIMEOUT=" + sessionTimeout.String(),
		"HOOKSTREAM_TRANSACTION_TIMEOUT=10s",
		"HOOKSTREAM_LOG_LEVEL=warn",
	}
}

// launch starts every instance.
func launch(dir string, programs map[string]string, env []string, log io.Writer) (*fleet, error) {
	f := &fleet{dir: dir, programs: programs, instances: map[string][]*instance{}}
	for role, n := range sizes {
		for k := range n {
			name := fmt.Sprintf("%s-%d", role, k)
			own := append(env[:len(env):len(env)], "HOOKSTREAM_ADMIN_ADDRESS=", "HOOKSTREAM_INSTANCE_ID="+name)
			if role == "ingest" {
				address, err := freeAddress()
				if err != nil {
					return nil, err
				}
				own = append(own, "HOOKSTREAM_ADDRESS="+address)
				f.urls = append(f.urls, "http://"+address)
			}
			i := &instance{role: role, name: name, program: programs[role], env: own, log: log}
			if err := i.start(""); err != nil {
				return nil, errors.Join(err, f.stop())
			}
			f.instances[role] = append(f.instances[role], i)
		}
	}
	return f, nil
}

func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// stop drains every instance, the edge first.
func (f *fleet) stop() error {
	var errs []error
	for _, role := range []string{"ingest", "transform", "sink"} {
		for _, i := range f.instances[role] {
			errs = append(errs, i.stop(30*time.Second))
		}
	}
	return errors.Join(errs...)
}
