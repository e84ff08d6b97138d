package affected

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
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

// listed is what the go command prints about a package.
type listed struct {
	Dir                                                           string
	Module                                                        struct{ Path, Dir string }
	Imports, TestImports, XTestImports, TestGoFiles, XTestGoFiles []string
}

// List returns the packages of the module in a folder.
func List(ctx context.Context, module string) ([]Package, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-json=Dir,Module,Imports,TestImports,XTestImports,TestGoFiles,XTestGoFiles", "./...")
	cmd.Dir, cmd.Stderr = module, os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list the packages of %s: %w", module, err)
	}
	var packages []Package
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var l listed
		if err := decoder.Decode(&l); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		p, err := l.convert()
		if err != nil {
			return nil, err
		}
		packages = append(packages, p)
	}
}

func (l listed) convert() (Package, error) {
	folder, err := filepath.Rel(l.Module.Dir, l.Dir)
	if err != nil {
		return Package{}, err
	}
	p := Package{Folder: filepath.ToSlash(folder), Imports: l.own(l.Imports), TestImports: l.own(slices.Concat(l.TestImports, l.XTestImports))}
	for _, name := range slices.Concat(l.TestGoFiles, l.XTestGoFiles) {
		content, err := os.ReadFile(filepath.Join(l.Dir, name))
		if err != nil {
			return Package{}, err
		}
		p.Reads = append(p.Reads, read(p.Folder, string(content))...)
	}
	slices.Sort(p.Reads)
	p.Reads = slices.Compact(p.Reads)
	return p, nil
}

// own returns the imports of the same module, relative to it.
func (l listed) own(imports []string) []string {
	var names []string
	for _, name := range imports {
		if relative, own := strings.CutPrefix(name, l.Module.Path+"/"); own {
			names = append(names, relative)
		}
	}
	return names
}

// relativePath matches a path that leaves a package, in one text or in the elements of filepath.Join, up to a pattern.
var relativePath = regexp.MustCompile(`"(\.\.(?:(?:/|", ")[\w.-]+)*)`)

// read returns the paths outside a folder that the source of a test names, relative to the module.
func read(folder, source string) []string {
	var names []string
	for _, match := range relativePath.FindAllStringSubmatch(source, -1) {
		name := path.Join(folder, strings.ReplaceAll(match[1], `", "`, "/"))
		if !strings.HasPrefix(name, "..") {
			names = append(names, name)
		}
	}
	return names
}
