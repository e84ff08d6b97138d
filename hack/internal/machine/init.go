package machine

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/openservicemesh/osm-operator/hack/internal/leftovers"
)

// Init is the first process of a machine: it prepares the mounts, and then waits for orphaned processes, as the first process must. inherited are folders
// of the host below which mounts are removed: their copies would keep networks of pods that have ended. It returns only if the machine cannot be prepared.
func Init(dir string, inherited ...string) error {
	m := Machine{Name: filepath.Base(dir), dir: dir}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"make mounts private", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
		{"remove mounts of the host's cluster", func() error { return unmountBelow(inherited) }},
		{"mount the control groups", mountSystem},
		{"mount private folders", m.bind},
		{"set the host name", func() error { return unix.Sethostname([]byte(m.Name)) }},
		{"use the loopback interface", setLoopbackUp},
		{"report that it is ready", func() error { return os.WriteFile(m.join(readyFile), nil, 0o644) }},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	reap()
	return nil
}

// mount is a line of the list of mounts.
type mount struct {
	point, kind string
	// options are those of the file system.
	options []string
}

func readMounts() ([]mount, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var all []mount
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if m, ok := parseMount(lines.Text()); ok {
			all = append(all, m)
		}
	}
	return all, lines.Err()
}

// parseMount reads a line of mountinfo: optional fields end with a dash.
func parseMount(line string) (mount, bool) {
	fields := strings.Fields(line)
	dash := slices.Index(fields, "-")
	if dash < 5 || len(fields) < dash+4 {
		return mount{}, false
	}
	return mount{point: fields[4], kind: fields[dash+1], options: strings.Split(fields[dash+3], ",")}, true
}

// unmountBelow removes the mounts below folders, the last one first.
func unmountBelow(folders []string) error {
	for _, folder := range folders {
		points, err := leftovers.MountsBelow(folder)
		if err != nil {
			return err
		}
		for _, point := range points {
			if err := unix.Unmount(point, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
				return fmt.Errorf("%s: %w", point, err)
			}
		}
	}
	return nil
}

// mountSystem mounts what shows the namespaces of this process: processes, network settings and control groups.
func mountSystem() error {
	all, err := readMounts()
	if err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return err
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		return err
	}
	const groups = "/sys/fs/cgroup"
	if slices.ContainsFunc(all, func(m mount) bool { return m.kind == "cgroup2" && m.point == groups }) {
		return unix.Mount("cgroup2", groups, "cgroup2", 0, "")
	}
	if err := unix.Mount("tmpfs", groups, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	for _, m := range all {
		if err := m.again(); err != nil {
			return fmt.Errorf("%s: %w", m.point, err)
		}
	}
	return nil
}

// again mounts a hierarchy of control groups at its place.
func (m mount) again() error {
	if m.kind != "cgroup" && m.kind != "cgroup2" {
		return nil
	}
	if err := os.MkdirAll(m.point, 0o755); err != nil {
		return err
	}
	return unix.Mount(m.kind, m.point, m.kind, 0, m.controllers())
}

// controllers returns the options that select a hierarchy of version 1.
func (m mount) controllers() string {
	known := []string{
		"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "net_cls", "net_prio", "perf_event", "hugetlb", "rdma", "misc",
	}
	var selected []string
	for _, option := range m.options {
		switch {
		case slices.Contains(known, option):
			selected = append(selected, option)
		case strings.HasPrefix(option, "name="):
			selected = append(selected, "none", option)
		}
	}
	return strings.Join(selected, ",")
}

// bind mounts the machine's own folders over the host's.
func (m Machine) bind() error {
	for at, content := range m.privateFolders() {
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(content, at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	return nil
}

func setLoopbackUp() error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(loopback)
}

// reap waits for every process whose parent has ended, for ever.
func reap() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	signal.Ignore(unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	for range ended {
		for {
			if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 && !errors.Is(err, unix.EINTR) {
				break
			}
		}
	}
}
