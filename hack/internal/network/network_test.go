package network

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPlanAddressesAreDistinctAndInTheirRanges(t *testing.T) {
	p := Default()
	if p.PodV4.Overlaps(p.ServiceV4) || p.PodV6.Overlaps(p.ServiceV6) {
		t.Error("pod and Service ranges overlap")
	}
	for name, got := range map[string][2]string{
		"node v4": {p.NodeV4().String(), "10.244.0.1"},
		"node v6": {p.NodeV6().String(), "fd6f:736d:0:1::1"},
		"dns v4":  {p.DNS()[0].String(), "10.96.0.10"},
		"dns v6":  {p.DNS()[1].String(), "fd6f:736d:0:2::a"},
		"api":     {p.APIServer(), "https://10.244.0.1:6443"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s = %s, want %s", name, got[0], got[1])
		}
	}
	if n := len(p.Bridge); n > 15 {
		t.Errorf("interface name has %d characters, Linux allows 15", n)
	}
}

func TestSysctlsAreRestored(t *testing.T) {
	root := t.TempDir()
	names := changedByKubelet()
	for name := range requiredSettings() {
		names = append(names, name)
	}
	for _, name := range names {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, file, "42\n")
	}
	s := Sysctls{Root: root, Record: filepath.Join(root, "record.json")}
	if err := s.Apply(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(root, "net/ipv4/ip_forward")); got != "1" {
		t.Errorf("ip_forward = %s after Apply", got)
	}
	write(t, filepath.Join(root, "vm/panic_on_oom"), "0") // The kubelet changes it.
	if err := s.Apply(); err != nil {                     // A second start must not record the values set by the cluster.
		t.Fatal(err)
	}
	if err := s.Restore(); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if got := read(t, filepath.Join(root, name)); got != "42" {
			t.Errorf("%s = %s after Restore, want 42", name, got)
		}
	}
}

// TestSysctlsHaveTwoUsers checks that the last user restores the values from before the first one.
func TestSysctlsHaveTwoUsers(t *testing.T) {
	root := t.TempDir()
	setting := filepath.Join(root, "net/ipv4/ip_forward")
	for name := range requiredSettings() {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(root, name), "0")
	}
	records := [2]string{filepath.Join(root, "cluster.json"), filepath.Join(root, "machines.json")}
	users := [2]Sysctls{{Root: root, Record: records[0], Other: records[1]}, {Root: root, Record: records[1], Other: records[0]}}
	for first := range users {
		for _, user := range []int{first, 1 - first} {
			if err := users[user].Apply(); err != nil {
				t.Fatal(err)
			}
		}
		for _, user := range []int{first, 1 - first} {
			if err := users[user].Restore(); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(records[user]); err != nil {
				t.Fatal(err)
			}
			want := map[bool]string{true: "1", false: "0"}[user == first]
			if got := read(t, setting); got != want {
				t.Errorf("user %d came first, user %d leaves: the setting is %s, want %s", first, user, got, want)
			}
		}
	}
}

// TestSysctlsOfNamespace checks that a machine does not touch the settings of its host.
func TestSysctlsOfNamespace(t *testing.T) {
	root := t.TempDir()
	for name := range requiredSettings() {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(root, name), "7")
	}
	s := Sysctls{Root: root, Record: filepath.Join(root, "record.json"), OwnOnly: true}
	if err := s.Apply(); err != nil {
		t.Fatal(err)
	}
	const host = "fs/inotify/max_user_instances"
	if got := read(t, filepath.Join(root, host)); got != "7" {
		t.Errorf("%s = %s, want no change", host, got)
	}
	if strings.Contains(read(t, s.Record), host) {
		t.Errorf("the record contains %s", host)
	}
}

// TestNumberedPlansDoNotOverlap checks that all clusters can be connected.
func TestNumberedPlansDoNotOverlap(t *testing.T) {
	seen := map[string]int{}
	for n := range MaxNumber + 1 {
		for _, prefix := range Numbered(n).Ranges() {
			if other, ok := seen[prefix.String()]; ok {
				t.Errorf("%s belongs to %d and %d", prefix, other, n)
			}
			seen[prefix.String()] = n
		}
		seen[Numbered(n).NodeName] = n
	}
	if len(seen) != 5*(MaxNumber+1) {
		t.Errorf("%d ranges and names, want five for each number", len(seen))
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(content))
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
