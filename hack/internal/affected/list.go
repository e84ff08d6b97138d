package affected

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

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
