// SPDX-License-Identifier: Apache-2.0

package service

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/hookstream/hookstream/stage/admin"
)

// The tests run this binary again as a service, because a process has one set of
// signals, one telemetry and one exit code.
const asService = "TEST_AS_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(asService) == "" {
		os.Exit(m.Run())
	}
	var cfg testConfig
	Info{Name: "probe", Description: "A service for tests.", AdminAddress: ":0"}.Main(&cfg, cfg.run, &testCommands{})
}

// testCommands are what the program has beside the service.
type testCommands struct {
	Echo echoCommand `cmd:"" help:"Repeat a word."`
}

type echoCommand struct {
	Word string `arg:"" help:"The word."`
}

func (c *echoCommand) Run(ctx context.Context, k *kong.Context) error {
	switch c.Word {
	case "fail":
		return errors.New("no voice")
	case "silent":
		return silent(7)
	}
	_, err := fmt.Fprintln(k.Stdout, c.Word, ctx.Err())
	return err
}

// silent is an error that has said all with its exit code.
type silent int

func (silent) Error() string   { return "" }
func (s silent) ExitCode() int { return int(s) }

type testConfig struct {
	Common `embed:""`
	Mode   string `help:"What to do." default:"return" enum:"return,fail,drain,hang" env:"TEST_MODE"`
	Number int    `help:"A number." default:"1" env:"TEST_NUMBER"`
}

func (c *testConfig) Validate() error {
	if c.Number < 0 {
		return fmt.Errorf("TEST_NUMBER is %d, must not be negative", c.Number)
	}
	return nil
}

func (c *testConfig) run(ctx context.Context, log *slog.Logger) error {
	switch c.Mode {
	case "fail":
		return errors.New("database is gone")
	case "drain":
		log.Info("working")
		<-ctx.Done()
		log.Info("drained")
	case "hang":
		log.Info("working")
		<-ctx.Done()
		log.Info("draining")
		<-make(chan struct{})
	}
	return nil
}

func service(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), append(env, asService+"=1")...)
	return cmd
}

func TestExitCodes(t *testing.T) {
	cases := map[string]struct {
		env, args []string
		code      int
		says      string
	}{
		"clean end":          {nil, nil, 0, `"msg":"stopped"`},
		"run is the default": {nil, []string{"run", "--mode=return"}, 0, `"service":"probe"`},
		"failure":            {[]string{"TEST_MODE=fail"}, nil, ExitFailed, `"error":"database is gone"`},
		"unknown flag":       {nil, []string{"--nonsense"}, ExitUsage, "unknown flag --nonsense"},
		"not a number":       {[]string{"TEST_NUMBER=many"}, nil, ExitUsage, "TEST_NUMBER"},
		"not valid":          {[]string{"TEST_NUMBER=-1"}, nil, ExitUsage, "TEST_NUMBER is -1, must not be negative"},
		"not one of":         {[]string{"TEST_MODE=dance"}, nil, ExitUsage, "TEST_MODE (--mode) must be one of return, fail, drain, hang"},
		"log level":          {[]string{"HOOKSTREAM_LOG_LEVEL=loud"}, nil, ExitUsage, "HOOKSTREAM_LOG_LEVEL"},
		"help":               {nil, []string{"run", "--help"}, 0, "$TEST_NUMBER"},
		"command":            {[]string{"TEST_NUMBER=-1"}, []string{"echo", "hello"}, 0, "hello <nil>\n"},
		"command fails":      {nil, []string{"echo", "fail"}, ExitFailed, "probe: no voice\n"},
		"command's own code": {nil, []string{"echo", "silent"}, 7, ""},
		"commands' help":     {nil, []string{"--help"}, 0, "Repeat a word."},
		"version":            {nil, []string{"--version"}, 0, "\n"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cmd := service(t, c.env, c.args...)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState == nil {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(out), c.says) {
				t.Errorf("exit code %d, want %d with %q:\n%s", code, c.code, c.says, out)
			}
		})
	}
}

func TestHealthcheck(t *testing.T) {
	health := admin.NewHealth("test", "kafka")
	server, err := admin.Listen(t.Context(), "127.0.0.1:0", health, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(t.Context()) }()
	check := func(address string) (int, string) {
		// What else is wrong in the configuration does not matter.
		cmd := service(t, []string{"HOOKSTREAM_ADMIN_ADDRESS=" + address, "TEST_NUMBER=-1"}, "healthcheck")
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}
	if code, out := check(server.Address()); code != ExitFailed || !strings.Contains(out, "starting") {
		t.Errorf("not ready: %d %s", code, out)
	}
	health.Set("kafka", true, "")
	if code, out := check(server.Address()); code != 0 || !strings.Contains(out, `"ready":true`) {
		t.Errorf("ready: %d %s", code, out)
	}
	_, port, err := net.SplitHostPort(server.Address())
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"0.0.0.0:" + port, ":" + port} {
		if code, out := check(address); code != 0 {
			t.Errorf("%s: %d %s", address, code, out)
		}
	}
	if code, _ := check("127.0.0.1:1"); code != ExitFailed {
		t.Errorf("nobody listens: %d", code)
	}
	if code, out := check("nonsense"); code != ExitUsage || !strings.Contains(out, "HOOKSTREAM_ADMIN_ADDRESS") {
		t.Errorf("bad address: %d %s", code, out)
	}
}

// started runs a service until it says that it works.
func started(t *testing.T, mode string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := service(t, []string{"TEST_MODE=" + mode})
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	until(t, lines, "working")
	return cmd, lines
}

func until(t *testing.T, lines *bufio.Scanner, what string) {
	t.Helper()
	for lines.Scan() {
		if strings.Contains(lines.Text(), what) {
			return
		}
	}
	t.Fatalf("ended without saying %q: %v", what, lines.Err())
}

func TestSignalDrains(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		cmd, lines := started(t, "drain")
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		until(t, lines, "drained")
		until(t, lines, "stopped")
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", sig, err)
		}
	}
}

func TestSecondSignalEndsADrainThatHangs(t *testing.T) {
	cmd, lines := started(t, "hang")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	until(t, lines, "draining")
	// The default effect comes back a moment after the first signal was seen.
	gone := make(chan struct{})
	go func() {
		for {
			select {
			case <-gone:
				return
			case <-time.After(10 * time.Millisecond):
				_ = cmd.Process.Signal(syscall.SIGTERM)
			}
		}
	}()
	for lines.Scan() { // until the pipe closes
		continue
	}
	err := cmd.Wait()
	close(gone)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("ended with %v", err)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("ended with %v", exit)
	}
}

func TestDefaultsComeFromTheEnvironmentUnvalidated(t *testing.T) {
	t.Setenv("TEST_NUMBER", "-7")
	var cfg testConfig
	if err := (Info{Name: "probe", AdminAddress: ":8099"}).Defaults(&cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.Number != -7 || cfg.AdminAddress != ":8099" || cfg.DrainTimeout != 20*time.Second || cfg.LogLevel != "info" {
		t.Errorf("got %+v", cfg)
	}
}

func TestAdminIsThereUntilTheDrainIsDone(t *testing.T) {
	health := admin.NewHealth("test")
	server, err := admin.Listen(t.Context(), "127.0.0.1:0", health, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	err = Serve(ctx, server, func(ctx context.Context) error {
		stop()
		<-ctx.Done()
		conn, err := net.Dial("tcp", server.Address())
		if err != nil {
			return fmt.Errorf("while draining: %w", err)
		}
		return conn.Close()
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", server.Address()); err == nil {
		t.Error("the admin server is still there after the drain")
	}
}

func TestFailureOfWorkEndsServe(t *testing.T) {
	failed := errors.New("fenced")
	if err := Serve(t.Context(), nil, func(context.Context) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
}

func TestProfilesAreServedOnlyWhereAsked(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	err := profiled(t.Context(), "", log, func(context.Context, *slog.Logger) error { return nil })
	if err != nil {
		t.Error(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	err = profiled(t.Context(), taken.Addr().String(), log, func(context.Context, *slog.Logger) error {
		t.Error("the service runs although it cannot be profiled as asked")
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "HOOKSTREAM_PPROF_ADDRESS") {
		t.Errorf("got %v", err)
	}

	cmd := service(t, []string{"HOOKSTREAM_PPROF_ADDRESS=127.0.0.1:0", "TEST_MODE=drain"})
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := loggedAddress(t, bufio.NewScanner(stderr))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/debug/pprof/goroutine?debug=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("got %s", res.Status)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// loggedAddress waits for the line that says where profiles are.
func loggedAddress(t *testing.T, lines *bufio.Scanner) string {
	t.Helper()
	for lines.Scan() {
		var line struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "profiles are served" {
			return line.Address
		}
	}
	t.Fatalf("ended without saying where profiles are: %v", lines.Err())
	return ""
}
