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
	// Mount is where it is mounted.
	Mount string
	// Unified marks version 2.
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

// folder is the group's place in the hierarchy.
func (h Hierarchy) folder(name string) string { return filepath.Join(h.Mount, name) }

// create makes the group, with what its children need to be usable.
func (h Hierarchy) create(name string) error {
	if err := os.MkdirAll(h.folder(name), 0o755); err != nil {
		return err
	}
	if h.Unified {
		return h.delegate(name)
	}
	return h.inheritCPUs(name)
}

// delegate switches every controller on for the children of the groups above this one (version 2). Not in the group itself: it
// could not hold processes then. A controller that the kernel refuses stays off: the kubelet names those it cannot do without.
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

// inheritCPUs fills the CPU and memory node lists of a new cpuset group (version 1), which start empty and then admit no process.
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
