package cgroup

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Hierarchy is one mounted cgroup tree.
type Hierarchy struct {
	// Mount is the mount point.
	Mount string
	// Unified is true for version 2.
	Unified bool
}

// Hierarchies lists the machine's cgroup trees.
func Hierarchies() ([]Hierarchy, error) {
	f, err := os.Open("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	found, err := parseMounts(f)
	if err == nil && len(found) == 0 {
		return nil, fmt.Errorf("no cgroup file system is mounted; Kubernetes needs one at /sys/fs/cgroup")
	}
	return found, err
}

func parseMounts(r io.Reader) ([]Hierarchy, error) {
	var found []Hierarchy
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 || (fields[2] != "cgroup" && fields[2] != "cgroup2") {
			continue
		}
		h := Hierarchy{Mount: fields[1], Unified: fields[2] == "cgroup2"}
		if !slices.Contains(found, h) {
			found = append(found, h)
		}
	}
	return found, lines.Err()
}

// folder returns the folder of the group in the hierarchy.
func (h Hierarchy) folder(name string) string { return filepath.Join(h.Mount, name) }

// create creates the group so that it can have children with processes.
func (h Hierarchy) create(name string) error {
	if err := os.MkdirAll(h.folder(name), 0o755); err != nil {
		return err
	}
	if h.Unified {
		return h.delegate(name)
	}
	return h.inheritCPUs(name)
}

// delegate enables every controller for the children of the groups above this one (version 2). The group itself is
// excluded, because a group with delegated controllers cannot hold processes. A controller that the kernel rejects
// stays off; the kubelet reports the ones it requires.
func (h Hierarchy) delegate(name string) error {
	parts := strings.Split(name, "/")
	for depth := range parts {
		dir := filepath.Join(append([]string{h.Mount}, parts[:depth]...)...)
		controllers, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
		if err != nil {
			return err
		}
		for _, c := range strings.Fields(string(controllers)) {
			_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0)
		}
	}
	return nil
}

// inheritCPUs copies the CPU and memory node lists to a new cpuset group (version 1). They start empty, and a group
// with empty lists accepts no process.
func (h Hierarchy) inheritCPUs(name string) error {
	dir := h.Mount
	for _, part := range strings.Split(name, "/") {
		parent := dir
		dir = filepath.Join(dir, part)
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			value, err := os.ReadFile(filepath.Join(parent, file))
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, file), value, 0); err != nil {
				return err
			}
		}
	}
	return nil
}
