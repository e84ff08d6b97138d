package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
)

// files maps the paths of files, relative to a root, to their content.
type files map[string][]byte

// readFiles returns every file below the root that matches one of the patterns.
func readFiles(root string, patterns []string) (files, error) {
	found := files{}
	for _, pattern := range patterns {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			content, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			relative, err := filepath.Rel(root, name)
			if err != nil {
				return nil, err
			}
			found[relative] = content
		}
	}
	return found, nil
}

// differences returns the sorted names of files that differ or exist in only one of the two sets.
func differences(before, after files) []string {
	var names []string
	for name, content := range before {
		if other, there := after[name]; !there || !bytes.Equal(content, other) {
			names = append(names, name)
		}
	}
	for name := range after {
		if _, there := before[name]; !there {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// restore writes the original content of the named files back, and removes files that did not exist.
func restore(root string, names []string, before files) error {
	for _, name := range names {
		path := filepath.Join(root, name)
		content, there := before[name]
		if !there {
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
