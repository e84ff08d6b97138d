package crdreference

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
)

// Pages returns the pages of all definitions in the file systems, and README.md that lists them, by file name.
func Pages(definitions ...fs.FS) (map[string][]byte, error) {
	kinds, err := ReadKinds(definitions...)
	if err != nil {
		return nil, err
	}
	pages := map[string][]byte{}
	for _, kind := range kinds {
		if _, there := pages[kind.File()]; there {
			return nil, fmt.Errorf("two kinds have the name %s: their pages need different names", kind.Name)
		}
		if pages[kind.File()], err = Page(kind); err != nil {
			return nil, err
		}
	}
	pages["README.md"], err = Index(kinds)
	return pages, err
}

// ReadKinds parses every YAML file of the file systems. The kinds are sorted by group and name.
func ReadKinds(definitions ...fs.FS) ([]Kind, error) {
	var kinds []Kind
	for _, definition := range definitions {
		names, err := fs.Glob(definition, "*/*.yaml")
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			content, err := fs.ReadFile(definition, name)
			if err != nil {
				return nil, err
			}
			kind, err := Parse(content)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			kinds = append(kinds, kind)
		}
	}
	slices.SortFunc(kinds, func(a, b Kind) int { return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Name, b.Name)) })
	return kinds, nil
}
