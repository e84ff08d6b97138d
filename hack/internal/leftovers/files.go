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
	"time"

	"golang.org/x/sys/unix"

	"github.com/openservicemesh/osm-operator/hack/internal/retry"
)

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

func (m Machine) mounts(context.Context) ([]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return mountsBelow(f, m.State.Dir)
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
		if err != nil {
			return err
		}
		for _, p := range points {
			if err := unix.Unmount(p, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
				return fmt.Errorf("cannot unmount %s: %w", p, err)
			}
		}
		if len(points) > 0 {
			return fmt.Errorf("%s is still mounted", points[0])
		}
		return nil
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
