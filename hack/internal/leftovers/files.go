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

// Folders outside the state folder that containerd, the CNI library and the kubelet write to and cannot be told not to.
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

// strayFiles lists the cluster's files in folders that it would share with another container engine.
func (m Machine) strayFiles(context.Context) ([]string, error) {
	var found []string
	for dir, ours := range map[string]func(path string) bool{
		cniResults:  func(path string) bool { return strings.HasPrefix(filepath.Base(path), m.Plan.CNIName+"-") },
		podLogLinks: func(path string) bool { return pointsInto(path, m.State.Dir) },
		shimSockets: deadSocket,
		devices:     deadSocket,
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
		_ = unix.Rmdir(dir) // fails when it is missing or somebody else's files are in it
	}
	return nil
}

// pointsInto reports whether the symbolic link's target, which need not exist any more, lies in the folder.
func pointsInto(link, dir string) bool {
	target, err := os.Readlink(link)
	return err == nil && strings.HasPrefix(filepath.Clean(target), dir+"/")
}

// deadSocket reports a Unix socket that nobody listens on any more.
func deadSocket(path string) bool {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, unix.ECONNREFUSED)
}
