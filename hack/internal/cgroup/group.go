package cgroup

import (
	"errors"
	"fmt"
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
