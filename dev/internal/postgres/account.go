// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// account is the user that runs the server when we are root, which Postgres
// refuses to run as. Nil means ourselves.
type account struct {
	uid, gid uint32
}

// serverAccount picks postgres (_postgres on macOS) or else nobody if this
// process is root, and nil if it is not.
func serverAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "_postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := parseID(found.Uid)
		if err != nil {
			return nil, fmt.Errorf("user id of %s: %w", name, err)
		}
		gid, err := parseID(found.Gid)
		if err != nil {
			return nil, fmt.Errorf("group id of %s: %w", name, err)
		}
		return &account{uid: uid, gid: gid}, nil
	}
	return nil, errors.New("no user postgres or nobody to run the server, which refuses to run as root: create one (useradd --system postgres), or run as another user")
}

// parseID also reads macOS's nobody, whose id is -2.
func parseID(id string) (uint32, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	return uint32(n), err //nolint:gosec // -2 becomes what the kernel calls nobody
}

func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}

// own gives the folder to the account.
func (a *account) own(dir string) error {
	if a == nil {
		return nil
	}
	return os.Chown(dir, int(a.uid), int(a.gid))
}
