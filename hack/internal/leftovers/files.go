package leftovers

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
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
