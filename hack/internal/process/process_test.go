package process

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestIdentityRoundTrip(t *testing.T) {
	want := Identity{Pid: 4711, Start: 991, Boot: "b1"}
	got, err := ParseIdentity(want.String())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"", "12", "12 x b", "1 5 b", "-3 5 b"} {
		if _, err := ParseIdentity(bad); err == nil {
			t.Errorf("ParseIdentity(%q) returned no error", bad)
		}
	}
}

func TestIdentifyParsesUnusualProgramNames(t *testing.T) {
	root := fakeProc(t, "7 (a) S b) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 123 9 9")
	got, err := root.Identify(7)
	if err != nil || got != (Identity{Pid: 7, Start: 123, Boot: "boot"}) {
		t.Errorf("Identify = %+v, %v", got, err)
	}
}

func TestAliveRejectsReusedPidsZombiesAndOtherBoots(t *testing.T) {
	id := Identity{Pid: 7, Start: 123, Boot: "boot"}
	tests := map[string]struct {
		stat string
		id   Identity
		want bool
	}{
		"same":          {"7 (x) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 123 9", id, true},
		"reused":        {"7 (x) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 124 9", id, false},
		"zombie":        {"7 (x) Z 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 123 9", id, false},
		"before reboot": {"7 (x) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 123 9", Identity{Pid: 7, Start: 123, Boot: "old"}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := fakeProc(t, tt.stat).Alive(tt.id); got != tt.want {
				t.Errorf("Alive = %v", got)
			}
		})
	}
}

func TestStartFindAndFailure(t *testing.T) {
	dir := t.TempDir()
	adopted := 0
	m := Manager{PidDir: dir, LogDir: dir, Proc: "/proc", Adopt: func(pid int) error { adopted = pid; return nil }}
	r, err := m.Start(Spec{Name: "sleeper", Path: "/bin/sh", Args: []string{"-c", "echo about to end; exec sleep 60"}})
	if err != nil {
		t.Fatal(err)
	}
	id, ok := m.Find("sleeper")
	if !ok || id.Pid != adopted {
		t.Fatalf("Find = %+v, %v; adopted %d", id, ok, adopted)
	}
	if session, err := syscall.Getpgid(id.Pid); err != nil || session != id.Pid {
		t.Errorf("the process is in group %d, want its own", session)
	}
	waitFor(t, func() bool { b, _ := os.ReadFile(r.Log); return len(b) > 0 })
	if err := syscall.Kill(id.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-r.Exited
	if _, ok := m.Find("sleeper"); ok {
		t.Error("Find returns a dead process")
	}
	if msg := r.Failure().Error(); !strings.Contains(msg, "about to end") || !strings.Contains(msg, "killed") {
		t.Errorf("Failure() = %q, want the reason and the end of the log", msg)
	}
	if names, err := m.Names(); err != nil || !cmp.Equal(names, []string{"sleeper"}) {
		t.Errorf("Names() = %v, %v", names, err)
	}
}

func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the condition did not become true within 5 s")
		}
	}
}

func fakeProc(t *testing.T, stat string) Procfs {
	t.Helper()
	root := t.TempDir()
	for name, content := range map[string]string{"7/stat": stat, "sys/kernel/random/boot_id": "boot\n"} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Procfs(root)
}
