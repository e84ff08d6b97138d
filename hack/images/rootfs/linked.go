package rootfs

import (
	"bytes"
	"debug/elf"
	"fmt"
	"path"
	"slices"
	"strings"
)

// CheckLinked returns an error with every shared library that an ELF file of the tree needs and the tree lacks. Without
// this check a missing library would appear only when the program starts.
func (t *Tree) CheckLinked() error {
	have := map[string]bool{}
	for name := range t.entries {
		have[path.Base(name)] = true
	}
	var missing []string
	for _, name := range t.Paths() {
		for _, lib := range neededLibraries(t.entries[name].Content) {
			if !have[lib] {
				missing = append(missing, fmt.Sprintf("%s (for %s)", lib, name))
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("the layer lacks shared libraries: %s; add the Debian packages that contain them to the catalogue",
		strings.Join(missing, ", "))
}

// neededLibraries returns the sonames that an ELF file imports, and none for other files.
func neededLibraries(content []byte) []string {
	if !bytes.HasPrefix(content, []byte(elf.ELFMAG)) {
		return nil
	}
	f, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return nil
	}
	libs, err := f.ImportedLibraries()
	if err != nil {
		return nil
	}
	return libs
}
