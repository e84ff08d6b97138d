package rootfs

import (
	"bytes"
	"debug/elf"
	"fmt"
	"path"
	"slices"
	"strings"
)

// CheckLinked reports an error that names every shared library which a program or library of the tree needs and the
// tree does not have. An image made of hand-picked libraries would otherwise fail only when its program starts.
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
	return fmt.Errorf("the layer lacks shared libraries: %s; add the Debian packages that hold them to the image's list",
		strings.Join(missing, ", "))
}

// neededLibraries returns the sonames an ELF file asks for; anything that is not ELF needs none.
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
