package machine

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/hack/internal/network"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
	"github.com/openservicemesh/osm-operator/hack/internal/retry"
)

// names are the machines of this package's tests. Others may run.
var names = [2]string{"test-one", "test-two"}

// startBoth starts two machines, which are removed after the test.
func startBoth(t *testing.T) (*Host, [2]Machine) {
	t.Helper()
	unlock, err := Lock()
	must(t, err)
	t.Cleanup(unlock)
	state, err := paths.FindState(os.Getenv)
	must(t, err)
	h, err := New(DefaultDir, state.Sysctls())
	must(t, err)
	var both [2]Machine
	for i, name := range names {
		t.Cleanup(func() { must(t, h.Stop(context.WithoutCancel(t.Context()), name)) })
		both[i], err = h.Start(t.Context(), name)
		must(t, err)
	}
	return h, both
}

// on runs a shell script on a machine and returns what it prints.
func on(t *testing.T, m Machine, script string) (string, error) {
	t.Helper()
	enter := exec.Command("nsenter", enterArguments(m, "/", []string{"sh", "-c", script})[1:]...)
	out, err := enter.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestMachinesAreApart checks with the real kernel what a machine has for itself.
func TestMachinesAreApart(t *testing.T) {
	h, both := startBoth(t)
	for script, want := range map[string]string{
		"hostname": names[0], "ls /run": "", "ls /var/lib/kubelet": "", "cut -d/ -f2- /proc/self/cgroup | sort -u | head -1": "",
		"ls /sys/class/net | sort | tr '\\n' ' '": "lo uplink0",
	} {
		if got, err := on(t, both[0], script); err != nil || (want != "" && got != want) {
			t.Errorf("%s: %q, %v, want %q", script, got, err, want)
		}
	}
	if again, err := h.Start(t.Context(), names[0]); err != nil || again.Pid != both[0].Pid {
		t.Errorf("a second start made another machine: %+v, %v", again, err)
	}
}

// TestConnections checks which packets pass: none between machines that are not connected, or partitioned.
func TestConnections(t *testing.T) {
	h, both := startBoth(t)
	// Stands for a node: an address from the range of pods.
	node := network.Numbered(both[1].Number).NodeV4()
	_, err := on(t, both[1], "ip link add osm-local0 type bridge; ip link set osm-local0 up; ip addr add "+netip.PrefixFrom(node, 16).String()+" dev osm-local0")
	must(t, err)
	source := network.Numbered(both[0].Number).NodeV4()
	_, err = on(t, both[0], "ip link add osm-local0 type bridge; ip link set osm-local0 up; ip addr add "+netip.PrefixFrom(source, 16).String()+" dev osm-local0")
	must(t, err)
	reaches := func(want bool, when string) {
		t.Helper()
		// Nothing listens at this port, so that a packet which arrives is answered by a reset.
		_, err := on(t, both[0], "timeout 1 bash -c 'exec 3<>/dev/tcp/"+node.String()+"/9' 2>&1 | grep -q refused")
		if got := err == nil; got != want {
			t.Errorf("%s: packets arrive: %t, want %t", when, got, want)
		}
	}
	reaches(false, "not connected")
	must(t, h.Connect(names[0], names[1]))
	reaches(true, "connected")
	must(t, h.Partition(names[1], names[0]))
	reaches(false, "partitioned")
	must(t, h.Heal(names[0], names[1]))
	reaches(true, "healed")
	for _, pair := range [][2]string{{names[0], names[0]}, {names[0], "absent"}} {
		if err := h.Connect(pair[0], pair[1]); err == nil {
			t.Errorf("%q can be connected", pair)
		}
	}
}

// TestKilledMachineIsReplaced checks that leftovers are named and removed after the first process was killed.
func TestKilledMachineIsReplaced(t *testing.T) {
	h, both := startBoth(t)
	must(t, syscall.Kill(both[0].Pid, syscall.SIGKILL))
	must(t, retry.Until(t.Context(), removalLimit, interval, func(context.Context) error {
		if h.read(names[0]).Pid != 0 {
			return errors.New("the killed process is still there")
		}
		return nil
	}))
	left, err := h.Leftovers()
	must(t, err)
	if !slices.Contains(left, "machine "+names[0]) || !slices.Contains(left, "control group of "+names[0]) {
		t.Errorf("leftovers %q", left)
	}
	if _, err := h.Find(names[0]); err == nil || !strings.Contains(err.Error(), "does not run any more") {
		t.Errorf("error %v", err)
	}
	again, err := h.Start(t.Context(), names[0])
	must(t, err)
	if again.Number != both[0].Number {
		t.Errorf("number %d, want that of the earlier machine, %d", again.Number, both[0].Number)
	}
	left, err = h.Leftovers()
	must(t, err)
	if slices.ContainsFunc(left, func(line string) bool { return strings.Contains(line, names[0]) }) {
		t.Errorf("leftovers after the next start: %q", left)
	}
}

func TestNamesOfMachines(t *testing.T) {
	h := &Host{Dir: t.TempDir()}
	for _, name := range []string{"", "B", "host", "../x", "a_b", "a-name-that-is-long", "1"} {
		if _, err := h.Start(t.Context(), name); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestParseMount(t *testing.T) {
	for line, want := range map[string]mount{
		"33 31 0:30 / /sys/fs/cgroup/cpu rw,relatime shared:7 - cgroup cgroup rw,cpu,cpuacct": {"/sys/fs/cgroup/cpu", "cgroup", []string{"rw", "cpu", "cpuacct"}},
		"40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd":        {"/sys/fs/cgroup/systemd", "cgroup", []string{"rw", "xattr", "name=systemd"}},
	} {
		got, ok := parseMount(line)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(mount{})); diff != "" || !ok {
			t.Errorf("%s: -want +got:\n%s", line, diff)
		}
	}
	if _, ok := parseMount("1 2 3"); ok {
		t.Error("a short line is accepted")
	}
	if got := (mount{options: []string{"rw", "xattr", "name=systemd"}}).controllers(); got != "none,name=systemd" {
		t.Errorf("controllers %q", got)
	}
}
