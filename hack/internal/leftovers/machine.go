package leftovers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openservicemesh/osm-operator/hack/internal/cgroup"
	"github.com/openservicemesh/osm-operator/hack/internal/network"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
	"github.com/openservicemesh/osm-operator/hack/internal/process"
	"github.com/openservicemesh/osm-operator/hack/internal/retry"
)

// Machine finds and removes the leftovers of one cluster.
type Machine struct {
	State     paths.State
	Plan      network.Plan
	Group     cgroup.Group
	Processes process.Manager
	Sysctls   network.Sysctls
}

// category is one kind of leftovers.
type category struct {
	name   string
	list   func(context.Context) ([]string, error)
	remove func(context.Context) error
}

// categories lists all categories in the order of removal: each may use the later ones.
func (m Machine) categories() []category {
	return []category{
		{"process", m.processes, m.kill},
		{"mount", m.mounts, m.unmount},
		{"network interface", m.links, m.deleteLinks},
		{"nftables table", nftTables, deleteNftTables},
		{"rules", iptablesRules, deleteIptablesRules},
		{"control group", m.groups, m.removeGroups},
		{"file", m.strayFiles, m.removeStrayFiles},
		{"folder", m.stateFolder, m.removeState},
	}
}

// List returns one line per leftover, by category in the order of removal.
func (m Machine) List(ctx context.Context) ([]string, error) {
	var lines []string
	for _, r := range m.categories() {
		names, err := r.list(ctx)
		if err != nil {
			return nil, fmt.Errorf("cannot list leftovers of category %s: %w", r.name, err)
		}
		for _, name := range names {
			lines = append(lines, r.name+" "+name)
		}
	}
	return lines, nil
}

// Clean removes everything and restores kernel settings. It continues after a failure and returns all failures.
func (m Machine) Clean(ctx context.Context) error {
	var failed error
	for _, r := range m.categories() {
		if err := r.remove(ctx); err != nil {
			failed = errors.Join(failed, fmt.Errorf("cannot remove leftovers of category %s: %w", r.name, err))
		}
	}
	return failed
}

func (m Machine) links(context.Context) ([]string, error) { return network.Links(m.Plan) }

func (m Machine) deleteLinks(context.Context) error { return network.DeleteLinks(m.Plan) }

func (m Machine) groups(context.Context) ([]string, error) { return m.Group.Roots(), nil }

func (m Machine) removeGroups(ctx context.Context) error {
	// A killed process stays in its group until the kernel has released it.
	return retry.Until(ctx, removalTimeout, removalInterval, func(context.Context) error { return m.Group.Remove() })
}

func (m Machine) stateFolder(context.Context) ([]string, error) {
	if _, err := os.Lstat(m.State.Dir); err != nil {
		return nil, nil //nolint:nilerr // a folder that cannot be read counts as missing
	}
	return []string{m.State.Dir}, nil
}

// removeState restores the kernel settings, which are recorded in the state folder, then removes the folder. It fails
// while something is mounted below, because the removal would delete the mounted files.
func (m Machine) removeState(ctx context.Context) error {
	mounted, err := m.mounts(ctx)
	if err != nil {
		return err
	}
	if len(mounted) > 0 {
		return fmt.Errorf("not removing %s: %s is still mounted", m.State.Dir, mounted[0])
	}
	if err := m.Sysctls.Restore(); err != nil {
		return fmt.Errorf("not removing %s: cannot restore kernel settings: %w", m.State.Dir, err)
	}
	return os.RemoveAll(m.State.Dir)
}

// removalTimeout is the time limit for killed processes, their groups and mounts to disappear. They are removed again at an interval.
const removalTimeout, removalInterval = 15 * time.Second, 50 * time.Millisecond

// pids returns every live process of the cluster: those in its control group, and those with a valid pid file.
func (m Machine) pids() ([]int, error) {
	pids, err := m.Group.Pids()
	if err != nil {
		return nil, err
	}
	names, err := m.Processes.Names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if id, alive := m.Processes.Find(name); alive {
			pids = append(pids, id.Pid)
		}
	}
	// This program may itself run in a container of the cluster; it must not kill itself.
	pids = slices.DeleteFunc(pids, func(pid int) bool { return pid == os.Getpid() || !m.isRunning(pid) })
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

// isRunning reports whether the process exists and is not a zombie.
func (m Machine) isRunning(pid int) bool {
	_, err := m.Processes.Proc.Identify(pid)
	return err == nil
}

func (m Machine) processes(context.Context) ([]string, error) {
	pids, err := m.pids()
	var names []string
	for _, pid := range pids {
		comm, _ := os.ReadFile(filepath.Join(string(m.Processes.Proc), strconv.Itoa(pid), "comm"))
		names = append(names, fmt.Sprintf("%d (%s)", pid, strings.TrimSpace(string(comm))))
	}
	return names, err
}

// kill sends SIGKILL to all processes, repeatedly: processes started in the meantime are in the control group. Their
// state is discarded, so there is no grace period.
func (m Machine) kill(ctx context.Context) error {
	return retry.Until(ctx, removalTimeout, removalInterval, func(context.Context) error {
		pids, err := m.pids()
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("cannot kill process %d: %w", pid, err)
			}
		}
		return fmt.Errorf("%d processes have not ended, the first is %d", len(pids), pids[0])
	})
}

// Folders outside the state folder that containerd, the CNI library and the kubelet always write to.
const (
	cniResults  = "/var/lib/cni/results"
	podLogLinks = "/var/log/containers"
	shimSockets = "/run/containerd/s"
	devices     = "/var/lib/kubelet/device-plugins"
)

// sharedFolders are removed when empty, the deeper ones first.
func sharedFolders() []string {
	return []string{
		cniResults, "/var/lib/cni", podLogLinks, shimSockets, "/run/containerd", devices, "/var/lib/kubelet",
	}
}

// strayFiles returns the cluster's files in folders that other container engines use too.
func (m Machine) strayFiles(context.Context) ([]string, error) {
	var found []string
	for dir, ours := range map[string]func(path string) bool{
		cniResults:  func(path string) bool { return strings.HasPrefix(filepath.Base(path), m.Plan.CNIName+"-") },
		podLogLinks: func(path string) bool { return pointsInto(path, m.State.Dir) },
		shimSockets: isDeadSocket,
		devices:     isDeadSocket,
	} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if path := filepath.Join(dir, e.Name()); ours(path) {
				found = append(found, path)
			}
		}
	}
	slices.Sort(found)
	return found, nil
}

func (m Machine) removeStrayFiles(ctx context.Context) error {
	files, err := m.strayFiles(ctx)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, dir := range sharedFolders() {
		_ = unix.Rmdir(dir) // Fails if the folder is missing or has files of another program.
	}
	return nil
}

// pointsInto reports whether the symbolic link's target is below the folder. The target need not exist.
func pointsInto(link, dir string) bool {
	target, err := os.Readlink(link)
	return err == nil && strings.HasPrefix(filepath.Clean(target), dir+"/")
}

// isDeadSocket reports whether the path is a Unix socket without a listener.
func isDeadSocket(path string) bool {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, unix.ECONNREFUSED)
}

func (m Machine) mounts(context.Context) ([]string, error) { return MountsBelow(m.State.Dir) }

// MountsBelow returns the mount points below a folder that this process sees, the last mounted first, without the folder itself.
func MountsBelow(dir string) ([]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return mountsBelow(f, dir)
}

// mountsBelow returns the mount points below the folder, the last mounted first, without the folder itself.
func mountsBelow(mountinfo io.Reader, dir string) ([]string, error) {
	var found []string
	lines := bufio.NewScanner(mountinfo)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			continue
		}
		if point := unescape(fields[4]); strings.HasPrefix(point, dir+"/") {
			found = append(found, point)
		}
	}
	slices.Reverse(found)
	return found, lines.Err()
}

var octal = regexp.MustCompile(`\\[0-7]{3}`)

// unescape decodes the kernel's escapes in mountinfo, such as \040 for a space.
func unescape(s string) string {
	return octal.ReplaceAllStringFunc(s, func(code string) string {
		n, err := strconv.ParseUint(code[1:], 8, 8)
		if err != nil {
			return code
		}
		return string([]byte{byte(n)})
	})
}

func (m Machine) unmount(ctx context.Context) error {
	return retry.Until(ctx, removalTimeout, removalInterval, func(context.Context) error {
		points, err := m.mounts(ctx)
		if err != nil || len(points) == 0 {
			return err
		}
		for _, p := range points {
			if err := unix.Unmount(p, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
				return fmt.Errorf("cannot unmount %s: %w", p, err)
			}
		}
		return fmt.Errorf("%s is still mounted", points[0])
	})
}

// tables are the names of the tables of kube-proxy and the portmap plugin, in both protocols.
var tables = []string{"kube-proxy", "cni_hostport"}

// nftTables returns the cluster's tables, such as "ip kube-proxy". A machine without nft has none.
func nftTables(ctx context.Context) ([]string, error) {
	if _, err := exec.LookPath("nft"); err != nil {
		return nil, nil //nolint:nilerr // see above
	}
	out, err := exec.CommandContext(ctx, "nft", "list", "tables").Output()
	if err != nil {
		return nil, fmt.Errorf("`nft list tables` failed: %w", err)
	}
	return parseTables(string(out)), nil
}

func parseTables(out string) []string {
	var found []string
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == "table" && slices.Contains(tables, fields[2]) {
			found = append(found, fields[1]+" "+fields[2])
		}
	}
	return found
}

func deleteNftTables(ctx context.Context) error {
	found, err := nftTables(ctx)
	if err != nil {
		return err
	}
	for _, table := range found {
		args := append([]string{"delete", "table"}, strings.Fields(table)...)
		if out, err := exec.CommandContext(ctx, "nft", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("cannot delete the table %s: %w: %s", table, err, out)
		}
	}
	return nil
}
