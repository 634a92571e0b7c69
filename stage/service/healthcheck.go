// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	healthTimeout  = 5 * time.Second
	maxHealthBytes = 64 << 10
)

// Healthcheck asks the /readyz of the service whose admin address it is given,
// prints the answer, and returns the exit code. It is what container health
// checks run, where the image has no shell.
func Healthcheck(address string) int {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		fmt.Fprintf(os.Stderr, "HOOKSTREAM_ADMIN_ADDRESS %q: %v\n", address, err)
		return ExitUsage
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return ExitFailed
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return ExitFailed
	}
	defer res.Body.Close()
	_, _ = io.Copy(os.Stdout, io.LimitReader(res.Body, maxHealthBytes))
	if res.StatusCode != http.StatusOK {
		return ExitFailed
	}
	return 0
}
