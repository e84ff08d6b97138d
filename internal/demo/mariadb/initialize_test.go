package mariadb

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeServer records its arguments and input in its own directory. With --bootstrap it creates a file in its data directory
// and exits with the given code; otherwise it waits for SIGTERM.
const fakeServer = `#!/bin/sh
here=$(dirname "$0")
echo "$@" >> "$here/args"
for a in "$@"; do case $a in --datadir=*) data=${a#--datadir=};; esac; done
case "$*" in
*--bootstrap*) cat > "$here/stdin"; touch "$data/table"; exit $(cat "$here/code");;
esac
trap 'echo ended >> "$here/args"; exit 0' TERM
echo ready
while :; do sleep 0.05; done
`

// prepare returns settings for a fake server that exits with the given code.
func prepare(t *testing.T, code string) Settings {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"mariadbd": fakeServer, "code": code, "mysql_system_tables.sql": "-- tables\n", "mysql_system_tables_data.sql": "-- data\n",
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return Settings{
		Server: filepath.Join(dir, "mariadbd"), Share: dir, Dir: filepath.Join(dir, "volume"), Port: 3306,
		Linger: 200 * time.Millisecond, Database: "booksdemo", User: "bookwarehouse", Password: "secret",
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestInitialize_RunsScriptsOnce(t *testing.T) {
	s := prepare(t, "0")
	for range 2 {
		if err := Initialize(context.Background(), s); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(read(t, filepath.Join(s.Share, "args")), "--bootstrap"); n != 1 {
		t.Errorf("the server was bootstrapped %d times, want once", n)
	}
	if _, err := os.Stat(filepath.Join(s.data(), "table")); err != nil {
		t.Errorf("the initialized database is not in place: %v", err)
	}
	script := read(t, filepath.Join(s.Share, "stdin"))
	order := []string{
		"CREATE DATABASE mysql", "-- tables", "-- data", "DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys'", "FLUSH PRIVILEGES",
		"CREATE DATABASE IF NOT EXISTS `booksdemo`", "CREATE USER 'bookwarehouse'@'%' IDENTIFIED BY 'secret'", "GRANT ALL ON `booksdemo`.*",
	}
	at := -1
	for _, part := range order {
		next := strings.Index(script, part)
		if next <= at {
			t.Errorf("the script lacks %q after the earlier part:\n%s", part, script)
		}
		at = next
	}
}

func TestInitialize_RestartsAfterFailure(t *testing.T) {
	s := prepare(t, "1")
	if err := Initialize(context.Background(), s); err == nil {
		t.Fatal("a failed bootstrap gives no error")
	}
	if _, err := os.Stat(s.data()); !os.IsNotExist(err) {
		t.Fatalf("a failed bootstrap left a database behind (%v)", err)
	}
	left := filepath.Join(s.fresh(), "half")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Share, "code"), []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Initialize(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(s.data(), "half")); !os.IsNotExist(err) {
		t.Errorf("the database holds files of the start that failed (%v)", err)
	}
}

func TestFromEnvironment_RejectsSQLSyntax(t *testing.T) {
	good := map[string]string{"MYSQL_DATABASE": "booksdemo", "MYSQL_USER": "bookwarehouse", "MYSQL_PASSWORD": "a-b_c.9"}
	for name := range good {
		for _, value := range []string{"", "x'; DROP", "a`b", "a\\", strings.Repeat("x", 65), "a\n"} {
			env := func(n string) string {
				if n == name {
					return value
				}
				return good[n]
			}
			if _, err := FromEnvironment(env); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s=%q gives %v, want an error that names it", name, value, err)
			}
		}
	}
	if _, err := FromEnvironment(func(n string) string { return good[n] }); err != nil {
		t.Errorf("valid settings are rejected: %v", err)
	}
}

// firstWrite closes a channel at the first write to it.
type firstWrite struct {
	once sync.Once
	seen chan struct{}
}

// Write discards what is written.
func (w *firstWrite) Write(p []byte) (int, error) {
	w.once.Do(func() { close(w.seen) })
	return len(p), nil
}

func TestServe_LingersAndTerminatesServer(t *testing.T) {
	s := prepare(t, "0")
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	out := &firstWrite{seen: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, s, out, slog.New(slog.DiscardHandler)) }()
	<-out.seen
	began := time.Now()
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if got := time.Since(began); got < s.Linger {
		t.Errorf("the server ended after %s, want at least %s", got, s.Linger)
	}
	args := strings.Fields(read(t, filepath.Join(s.Share, "args")))
	for _, want := range []string{"--bind-address=*", "--port=3306", "--skip-name-resolve", "--datadir=" + s.data(), "ended"} {
		if !slices.Contains(args, want) {
			t.Errorf("arguments and end are %v, want %q among them", args, want)
		}
	}
}

func TestServe_ReportsUnexpectedExit(t *testing.T) {
	s := prepare(t, "0")
	s.Server = "/bin/false"
	err := Serve(context.Background(), s, &bytes.Buffer{}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "unexpectedly") {
		t.Errorf("error is %v, want one for an unexpected exit", err)
	}
}
