// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package chaos

import "syscall"

func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
