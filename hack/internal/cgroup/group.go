package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Group is a control group that exists in several hierarchies.
type Group struct {
	// Name is the path below the root of the hierarchies, without a leading slash.
	Name string
	// Hierarchies are the hierarchies of the group.
	Hierarchies []Hierarchy
}

// Create creates the group in every hierarchy where it is missing.
func (g Group) Create() error {
	for _, h := range g.Hierarchies {
		if err := h.create(g.Name); err != nil {
			return fmt.Errorf("cannot create the control group %s: %w", h.folder(g.Name), err)
		}
	}
	return nil
}

// Child returns a group below this one.
func (g Group) Child(name string) Group {
	return Group{Name: g.Name + "/" + name, Hierarchies: g.Hierarchies}
}

// Add moves a process into the group.
func (g Group) Add(pid int) error {
	for _, h := range g.Hierarchies {
		file := filepath.Join(h.folder(g.Name), "cgroup.procs")
		if err := os.WriteFile(file, []byte(strconv.Itoa(pid)), 0); err != nil {
			return fmt.Errorf("cannot move process %d into the control group: %w", pid, err)
		}
	}
	return nil
}

// Pids returns the processes in the group and its descendants, over all hierarchies, in ascending order.
func (g Group) Pids() ([]int, error) {
	var pids []int
	for _, dir := range g.Folders() {
		content, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if isGone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, field := range strings.Fields(string(content)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				return nil, err
			}
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

// Roots returns the existing folders of the group itself, one per hierarchy.
func (g Group) Roots() []string {
	var found []string
	for _, h := range g.Hierarchies {
		if _, err := os.Stat(h.folder(g.Name)); err == nil {
			found = append(found, h.folder(g.Name))
		}
	}
	return found
}

// Folders returns the existing folders of the group and its descendants, children before parents.
func (g Group) Folders() []string {
	var found []string
	for _, h := range g.Hierarchies {
		_ = filepath.WalkDir(h.folder(g.Name), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				found = append(found, path)
			}
			return nil
		})
	}
	slices.SortFunc(found, func(a, b string) int { return strings.Compare(b, a) })
	return found
}

// Remove removes the group and its descendants. It fails while a process is in one of them.
func (g Group) Remove() error {
	var failed error
	for _, dir := range g.Folders() {
		if err := os.Remove(dir); err != nil && !isGone(err) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// isGone reports whether the error means that the group no longer exists.
func isGone(err error) bool {
	return err != nil && (errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "no such device"))
}

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
