package cgroup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseMounts(t *testing.T) {
	const mounts = `proc /proc proc rw 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
tmpfs /sys/fs/cgroup tmpfs rw 0 0
`
	got, err := parseMounts(strings.NewReader(mounts))
	if err != nil {
		t.Fatal(err)
	}
	want := []Hierarchy{{Mount: "/sys/fs/cgroup/memory"}, {Mount: "/sys/fs/cgroup/unified", Unified: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPidsCoverAllHierarchiesAndDescendants(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	write(t, filepath.Join(one, "g/cgroup.procs"), "30\n2\n")
	write(t, filepath.Join(one, "g/pod/a/cgroup.procs"), "7\n")
	write(t, filepath.Join(two, "g/cgroup.procs"), "2\n")
	write(t, filepath.Join(two, "other/cgroup.procs"), "99\n")
	g := Group{Name: "g", Hierarchies: []Hierarchy{{Mount: one}, {Mount: two, Unified: true}}}
	got, err := g.Pids()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{2, 7, 30}, got); diff != "" {
		t.Error(diff)
	}
}

func TestCreateInheritsCPUsAndFoldersListsChildrenFirst(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "cpuset.cpus"), "0-1\n")
	write(t, filepath.Join(root, "cpuset.mems"), "0\n")
	g := Group{Name: "g", Hierarchies: []Hierarchy{{Mount: root}}}
	if err := g.Child("daemons").Create(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(root, "g/daemons/cpuset.cpus"))
	if err != nil || string(content) != "0-1\n" {
		t.Errorf("cpuset.cpus = %q, %v", content, err)
	}
	want := []string{filepath.Join(root, "g/daemons"), filepath.Join(root, "g")}
	if diff := cmp.Diff(want, g.Folders()); diff != "" {
		t.Error(diff)
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
