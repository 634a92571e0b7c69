// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/hookstream/hookstream/dev/internal/pages"
	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/stacktest"
	"github.com/hookstream/hookstream/dev/internal/workload"
	"github.com/hookstream/hookstream/stage/runtest"
)

// parseOnly in the environment makes the test program parse its arguments as dev
// would, and end.
const parseOnly = "HOOKSTREAM_TEST_PARSE"

func TestMain(m *testing.M) {
	if os.Getenv(parseOnly) != "" {
		parser := kong.Must(&cli{}, kong.Name("dev"), variables())
		if _, err := parser.Parse(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "dev:", err)
			os.Exit(2)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// shellTools are what the pages use beside our programs.
var shellTools = []string{"bash", "curl", "jq", "openssl", "psql"}

// TestPagesWork types what the pages have their reader type, in a shell for each
// page, against one installation. A command fails by its exit code; 3 is taken,
// for a page's ids and offsets are examples, and what they select may be gone.
//
// Not run are what starts containers, Kafka's own tools, and what takes minutes: of
// make the recipe is only printed, and of dev only the command line is parsed. A block that cannot
// be run here says why, in a comment before it.
func TestPagesWork(t *testing.T) {
	for _, tool := range shellTools {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	all, err := pages.All("..")
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t)
	ran := 0
	for _, p := range all {
		if n := len(r.script(p, map[string]string{})); n > 0 {
			ran += n
			t.Run(p.Path, func(t *testing.T) { r.read(t, p) })
		}
	}
	if ran < 50 {
		t.Errorf("only %d commands were found", ran)
	}
	t.Run("programs", func(t *testing.T) { r.programs(t, all) })
}

// programs builds and runs those that pages show: they read the events of what
// was sent.
func (r *reader) programs(t *testing.T, all []*pages.Page) {
	t.Helper()
	event := r.examples(t)["event"]
	ran := 0
	for _, p := range all {
		for i := range p.Blocks {
			b := &p.Blocks[i]
			if b.NotRun != "" {
				continue
			}
			switch b.Language {
			case "go":
				r.program(t, b.Text(), "pi_"+event)
				ran++
			case "python":
				parse(t, b.Text())
			case "java":
				t.Errorf("%s:%d: nothing compiles it", p.Path, b.Line)
			}
		}
	}
	if ran == 0 {
		t.Error("no page has a program")
	}
}

// program runs one in this module, which has its dependencies, until it prints
// what is wanted.
func (r *reader) program(t *testing.T, text, want string) {
	t.Helper()
	dir := t.TempDir()
	source, overlay, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "program")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(r.root, "dev/internal/pages/program/main.go"): source}})
	if err != nil {
		t.Fatal(err)
	}
	for file, data := range map[string][]byte{source: []byte(text), overlay: replace} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", binary, "./internal/pages/program")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = r.env
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for lines := bufio.NewScanner(stdout); !found && lines.Scan(); {
		found = strings.Contains(lines.Text(), want)
	}
	if !found {
		t.Errorf("the program never printed %s", want)
	}
	cancel()
	_ = cmd.Wait() // it was ended
}

// parse has Python read a program, where there is one.
func parse(t *testing.T, text string) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		return
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", "import ast, sys; ast.parse(sys.stdin.read())")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// reader is a reader of the pages, with an installation and our programs.
type reader struct {
	*stack.Stack
	bin, root string
	env       []string
	// api and admin are addresses for what pages start themselves.
	api, admin string
	pages      int
}

func newReader(t *testing.T) *reader {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{bin: t.TempDir(), root: root, api: freeAddress(t), admin: freeAddress(t)}
	r.build(t)
	log, err := os.Create(filepath.Join(r.bin, "ingest.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	r.Stack = stacktest.Start(t, stack.Options{
		Address: "127.0.0.1:0", RegistryAddress: "127.0.0.1:0", Unsafe: true, Log: slog.New(slog.NewJSONHandler(log, nil)),
		Secrets: workload.SecretList() + ";" + guideSecret, DefinitionsDir: r.guided(t),
	})
	database, err := url.Parse(r.Database)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r.env = append(os.Environ(),
		"PATH="+r.bin+":"+os.Getenv("PATH"), "ROOT="+root, "SELF="+self, "EDGE="+r.Address(),
		"CURL="+look(t, "curl"), "MAKE="+look(t, "make"), "GO="+look(t, "go"),
		"HOOKSTREAM_BROKERS="+strings.Join(r.Kafka.Brokers, ","), "HOOKSTREAM_REGISTRY_URL="+r.Registry, "HOOKSTREAM_DATABASE_URL="+r.Database,
		"HOOKSTREAM_TRANSFORM_GROUP="+r.Group,
		"HOOKSTREAM_DLQ_ADDRESS="+r.api, "HOOKSTREAM_ADMIN_ADDRESS="+r.admin,
		"PGHOST="+database.Query().Get("host"), "PGPORT="+database.Query().Get("port"), "PGUSER="+database.User.Username(), "PGDATABASE="+strings.TrimPrefix(database.Path, "/"))
	return r
}

// guide is the page whose provider the installation has, as its reader would have
// it by then.
const (
	guide       = "docs/adding-a-provider.md"
	guideSecret = "default/acme=acme-s3cret"
)

// guided is the folder of definitions that the guide has its reader write.
func (r *reader) guided(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.root, filepath.FromSlash(guide)))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFiles(t, dir, pages.Parse(guide, string(text)))
	return filepath.Join(dir, "providers")
}

// writeFiles writes the blocks of a page that name a file.
func writeFiles(t *testing.T, dir string, p *pages.Page) {
	t.Helper()
	for i := range p.Blocks {
		b := &p.Blocks[i]
		if b.Info == "" {
			continue
		}
		file := filepath.Join(dir, filepath.FromSlash(b.Info))
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(b.Text()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func look(t *testing.T, tool string) string {
	t.Helper()
	file, err := exec.LookPath(tool)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// standIns stand in for programs that a page calls, by their names. They call the
// programs themselves with less to do.
var standIns = map[string]string{
	// An answer that is no success fails. ingest sign names the usual port.
	"curl": `exec "$CURL" --fail-with-body "${@//localhost:8080/$EDGE}"`,
	// The recipe is printed and not run, but for dev's command line.
	"make": `set -o pipefail; "$MAKE" -n -C "$ROOT" "$@" | while read -r line; do
case "$line" in "go run ./dev"*) eval "$line" || exit;; esac; done`,
	// Our programs are built already.
	"go": `case "$1" in
run) shift; case "$1" in
  ./dev) shift; HOOKSTREAM_TEST_PARSE=1 exec "$SELF" "$@";;
  ./*/cmd/*) [ -d "$ROOT/$1" ] || { echo "there is no $1" >&2; exit 2; }; program="${1##*/}"; shift; exec "$program" "$@";;
  *) exit 2;; esac;;
build) shift; [ "$1" = -o ] && [ "$2" = bin/ ] || exit 2; shift 2; mkdir -p bin; for package; do
  [ -d "$ROOT/$package" ] || { echo "there is no $package" >&2; exit 2; }; ln -sf "$(command -v "${package##*/}")" bin/; done;;
*) cd "$ROOT" && exec "$GO" "$@";; esac`,
	// A service of a composition is its program.
	"docker": `if [ "$1 $2 $3" = "compose run --rm" ]; then shift 3
  grep -q "^  $1:" "$ROOT/docker-compose.yml" || { echo "docker-compose.yml has no $1" >&2; exit 2; }; exec "$@"; fi`,
	// It serves in the background until the page ends, and returns when it is ready;
	// tail ends after a moment.
	"dlq": `case "$1" in
serve) "$PROGRAM" "$@" & for i in $(seq 200); do "$PROGRAM" healthcheck >/dev/null 2>&1 && exit; kill -0 $! || exit 1; sleep 0.05; done; exit 1;;
tail) "$PROGRAM" "$@" & sleep 1; kill -INT $!; wait $!; exit 0;;
esac
exec "$PROGRAM" "$@"`,
}

// elsewhere are programs of others that are not here, and are taken to have worked.
var elsewhere = []string{"kubectl", "kafka-get-offsets.sh", "kafka-consumer-groups.sh", "kafka-topics.sh"}

// build compiles our programs, and puts stand-ins before them.
func (r *reader) build(t *testing.T) {
	t.Helper()
	programs := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", programs+"/",
		"./ingest/cmd/ingest", "./transform/cmd/transform", "./sink/cmd/sink", "./dlq/cmd/dlq", "./dlq/cmd/hookstream", "./schemas/cmd/schemas")
	cmd.Dir = r.root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	built, err := os.ReadDir(programs)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range built {
		text := standIns[b.Name()]
		if text == "" {
			text = `exec "$PROGRAM" "$@"`
		}
		r.standIn(t, b.Name(), "PROGRAM='"+filepath.Join(programs, b.Name())+"'\n"+text)
	}
	for _, name := range []string{"curl", "make", "go", "docker"} {
		r.standIn(t, name, standIns[name])
	}
	for _, name := range elsewhere {
		r.standIn(t, name, "exit 0")
	}
}

func (r *reader) standIn(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.bin, name), []byte("#!/usr/bin/env bash\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// read types a page's commands, in a folder that looks like the project's.
func (r *reader) read(t *testing.T, p *pages.Page) {
	t.Helper()
	dir := t.TempDir()
	for name, to := range map[string]string{
		"bench": filepath.Join(r.root, "bench"), "deploy": filepath.Join(r.root, "deploy"), "docs": filepath.Join(r.root, "docs"), "schemas": filepath.Join(r.root, "schemas"),
		"fixed": filepath.Join(r.root, "schemas/provider/definitions"), "ingest.log": filepath.Join(r.bin, "ingest.log"),
	} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	writeFiles(t, dir, p)
	var script strings.Builder
	script.WriteString("set -o pipefail; shopt -s expand_aliases\n")
	for _, line := range r.script(p, r.examples(t)) {
		script.WriteString(line)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	failures := filepath.Join(dir, "failures")
	cmd := exec.CommandContext(ctx, "bash", "-c", script.String())
	cmd.Dir, cmd.Env = dir, append(r.env, "FAILURES="+failures)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what it leaves in the background ends with it
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	err = cmd.Run()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	failed, _ := os.ReadFile(failures) // there is none where nothing failed
	if err != nil || len(failed) > 0 {
		said, _ := os.ReadFile(log.Name())
		t.Errorf("%v\n%s\nThe shell said:\n%s", err, failed, said)
	}
}

// script has an entry for each command of a page: the command, with the examples
// in it replaced, and a look at its exit code.
func (r *reader) script(p *pages.Page, examples map[string]string) []string {
	var all []string
	for i := range p.Blocks {
		b := &p.Blocks[i]
		if b.NotRun != "" {
			continue
		}
		if b.Language == "sql" {
			all = append(all, fmt.Sprintf("psql -v ON_ERROR_STOP=1 <<'END'\n%sEND\n%s", b.Text(), verdict(p, b.Line)))
			continue
		}
		for _, c := range b.Commands(context.Background()) {
			text := strings.TrimSuffix(c.Text, " &")
			if c.Confirmed {
				text += " --yes"
			}
			for _, e := range example {
				text = e.pattern.ReplaceAllString(text, examples[e.name])
			}
			all = append(all, fmt.Sprintf("echo '== %s:%d'\n%s\n%s", p.Path, c.Line, text, verdict(p, c.Line)))
		}
	}
	return all
}

// verdict notes an exit code that is neither 0 nor 3.
func verdict(p *pages.Page, line int) string {
	return fmt.Sprintf("case $? in 0|3) ;; *) echo %s:%d: exit code $? >>\"$FAILURES\";; esac\n", p.Path, line)
}

// example is what pages write, and what it stands for.
var example = []struct {
	name    string
	pattern *regexp.Regexp
}{
	{"edge", regexp.MustCompile(`(127\.0\.0\.1|localhost):8080`)},
	{"api", regexp.MustCompile(`(127\.0\.0\.1|localhost):8090`)},
	{"kafka", regexp.MustCompile(`(127\.0\.0\.1|localhost|kafka):9092`)},
	{"database", regexp.MustCompile(`postgres://…`)},
	{"registry", regexp.MustCompile(`http://…`)},
	{"letter", regexp.MustCompile(`transform:hookstream\.raw/\d+/\d+`)},
	{"fingerprint", regexp.MustCompile(`--fingerprint [0-9a-f]{12}`)},
	{"refused", regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)},
	{"event", regexp.MustCompile(`\bevt_1\w+`)},
	{"record", regexp.MustCompile(`--partition \d+ --offset \d+`)},
}

// examples are of what the reader has just sent: payments, of which three cannot
// be mapped, and one that is signed by somebody else. What the pages before left
// is closed: too many failures would be held back.
func (r *reader) examples(t *testing.T) map[string]string {
	t.Helper()
	r.pages++
	if out, err := r.dlq(t, "discard", "--all", "--why", "the next page", "--yes"); err != nil && r.pages > 1 {
		t.Logf("%v: %s", err, out)
	}
	for i := range 40 {
		amount := "2500"
		if i < 3 {
			amount = `"2500"`
		}
		r.send(t, fmt.Sprintf("evt_of_page_%d_%d", r.pages, i), amount)
	}
	type letter struct {
		ID, Fingerprint string
		EventID         string `json:"event_id"`
	}
	var letters []letter
	runtest.Eventually(t, "three dead letters", func() bool {
		letters = letters[:0]
		out, err := r.dlq(t, "list", "--limit", "0", "-o", "json")
		if err != nil {
			t.Fatal(err)
		}
		for d := json.NewDecoder(bytes.NewReader(out)); ; {
			var l letter
			if d.Decode(&l) != nil {
				break
			}
			if strings.HasPrefix(l.EventID, fmt.Sprintf("evt_of_page_%d_", r.pages)) {
				letters = append(letters, l)
			}
		}
		return len(letters) == 3
	})
	at := strings.Split(letters[0].ID, "/")
	return map[string]string{
		"edge": r.Address(), "api": r.api, "kafka": r.Kafka.Brokers[0], "database": r.Database, "registry": r.Registry,
		"refused": r.refused(t), "letter": letters[0].ID, "fingerprint": "--fingerprint " + letters[0].Fingerprint, "event": fmt.Sprintf("evt_of_page_%d_7", r.pages),
		"record": fmt.Sprintf("--partition %s --offset %s", at[1], at[2]),
	}
}

func (r *reader) dlq(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(r.bin, "dlq"), args...)
	cmd.Env = r.env
	return cmd.Output()
}

// refused is the correlation id of a request that the edge refuses. Of one kind
// it logs one a second at most.
func (r *reader) refused(t *testing.T) string {
	t.Helper()
	var id string
	runtest.Eventually(t, "a logged refusal", func() bool {
		res, err := http.Post("http://"+r.Address()+"/webhooks/stripe", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		id = res.Header.Get("X-Correlation-Id")
		logged, err := os.ReadFile(filepath.Join(r.bin, "ingest.log"))
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode == http.StatusUnauthorized && bytes.Contains(logged, []byte(id))
	})
	return id
}

func (r *reader) send(t *testing.T, id, amount string) {
	t.Helper()
	now := time.Now()
	event := &workload.Event{
		Provider: "stripe", ID: id, Type: "payment_intent.succeeded", Header: http.Header{},
		Body: fmt.Appendf(nil, "{\n\"id\":%q,\"object\":\"event\",\"created\":%d,\"livemode\":false,\"type\":\"payment_intent.succeeded\","+
			`"data":{"object":{"id":"pi_%s","object":"payment_intent","status":"succeeded","amount":%s,"currency":"eur"}}}`, id, now.Unix(), id, amount),
	}
	req, err := event.Request(t.Context(), "http://"+r.Address(), now)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		t.Fatalf("%s is answered %d", id, res.StatusCode)
	}
}
