package affected

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// Package is a package of the module with its imports by other packages of the module, as paths relative to the module.
type Package struct {
	Folder string
	// Imports are those of the sources, TestImports those of all tests of the package.
	Imports, TestImports []string
	// Reads are the files and folders outside the package that its tests name, relative to the module; "." is all of it.
	Reads []string
}

// Folders returns the folders of the packages whose tests the changed files can affect. Files are relative to the module.
func Folders(packages []Package, changed []string) []string {
	byFolder := map[string]Package{}
	for _, p := range packages {
		byFolder[p.Folder] = p
	}
	sources, tests := map[string]bool{}, map[string]bool{}
	for _, file := range changed {
		owner := ownerOf(byFolder, file)
		switch {
		case strings.HasSuffix(file, "_test.go") || strings.Contains(file, "/testdata/"):
			tests[owner] = true
		case owner != "":
			sources[owner] = true
		}
		for _, p := range packages {
			if slices.ContainsFunc(p.Reads, func(name string) bool { return isBelow(file, name) }) {
				tests[p.Folder] = true
			}
		}
	}
	addImporters(packages, sources)
	for _, p := range packages {
		if sources[p.Folder] || slices.ContainsFunc(p.TestImports, func(name string) bool { return sources[name] }) {
			tests[p.Folder] = true
		}
	}
	delete(tests, "")
	return slices.Sorted(maps.Keys(tests))
}

// addImporters adds the packages that import one of the set, directly or through others.
func addImporters(packages []Package, set map[string]bool) {
	for size := -1; size != len(set); {
		size = len(set)
		for _, p := range packages {
			if slices.ContainsFunc(p.Imports, func(name string) bool { return set[name] }) {
				set[p.Folder] = true
			}
		}
	}
}

// ownerOf returns the folder of the package that has a file, itself or in a folder without sources such as testdata, or "".
func ownerOf(byFolder map[string]Package, file string) string {
	for folder := path.Dir(file); folder != "."; folder = path.Dir(folder) {
		if _, found := byFolder[folder]; found {
			return folder
		}
	}
	return ""
}

func isBelow(file, folder string) bool {
	return folder == "." || file == folder || strings.HasPrefix(file, folder+"/")
}
