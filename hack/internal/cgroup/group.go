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

// Group is one group in every hierarchy.
type Group struct {
	// Name is the path below the root of the hierarchies, without a leading slash.
	Name string
	// In are the hierarchies it is in.
	In []Hierarchy
}

// Create makes the group where it is missing.
func (g Group) Create() error {
	for _, h := range g.In {
		if err := h.create(g.Name); err != nil {
			return fmt.Errorf("cannot make the control group %s: %w", h.folder(g.Name), err)
		}
	}
	return nil
}

// Child is a group below this one.
func (g Group) Child(name string) Group { return Group{Name: g.Name + "/" + name, In: g.In} }

// Add moves a process into the group.
func (g Group) Add(pid int) error {
	for _, h := range g.In {
		file := filepath.Join(h.folder(g.Name), "cgroup.procs")
		if err := os.WriteFile(file, []byte(strconv.Itoa(pid)), 0); err != nil {
			return fmt.Errorf("cannot move process %d into the control group: %w", pid, err)
		}
	}
	return nil
}

// Pids lists the processes in the group and below, in any hierarchy, in ascending order.
func (g Group) Pids() ([]int, error) {
	var pids []int
	for _, dir := range g.Folders() {
		content, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if gone(err) {
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

// Roots lists the group's own folder in every hierarchy where it exists.
func (g Group) Roots() []string {
	var found []string
	for _, h := range g.In {
		if _, err := os.Stat(h.folder(g.Name)); err == nil {
			found = append(found, h.folder(g.Name))
		}
	}
	return found
}

// Folders lists the group's folders and those below that exist, children before their parents.
func (g Group) Folders() []string {
	var found []string
	for _, h := range g.In {
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

// Remove removes the group and all below. It fails while a process is in one of them.
func (g Group) Remove() error {
	var failed error
	for _, dir := range g.Folders() {
		if err := os.Remove(dir); err != nil && !gone(err) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// gone reports that a group vanished while it was looked at, which is what is wanted.
func gone(err error) bool {
	return err != nil && (errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "no such device"))
}
