package rootfs

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Entry is one file, directory or symbolic link of a tree.
type Entry struct {
	// Mode holds the permission bits, such as 0o755, and optionally the sticky bit 0o1000.
	Mode int64
	// Owner is the numeric user and group of the entry.
	Owner int
	// Content is the content of a regular file.
	Content []byte
	// Link is the target of a symbolic link. Content is ignored if it is set.
	Link string
	// Dir marks a directory. Content and Link are ignored if it is set.
	Dir bool
}

// Tree maps clean paths without a leading slash to entries. The zero value is not usable; call New.
type Tree struct {
	entries map[string]Entry
}

// New returns an empty tree.
func New() *Tree {
	return &Tree{entries: map[string]Entry{}}
}

// File adds a regular file owned by root. It replaces an entry at the same path.
func (t *Tree) File(name string, mode int64, content []byte) {
	t.Add(name, Entry{Mode: mode, Content: content})
}

// Dir adds a directory owned by the given numeric user and group.
func (t *Tree) Dir(name string, mode int64, owner int) {
	t.Add(name, Entry{Mode: mode, Owner: owner, Dir: true})
}

// Link adds a symbolic link.
func (t *Tree) Link(name, target string) {
	t.Add(name, Entry{Mode: 0o777, Link: target})
}

// Add adds any entry. Missing parent directories are created with mode 0755 and owner root.
func (t *Tree) Add(name string, e Entry) {
	name = Clean(name)
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, ok := t.entries[dir]; !ok {
			t.entries[dir] = Entry{Mode: 0o755, Dir: true}
		}
	}
	t.entries[name] = e
}

// Get returns the entry at a path.
func (t *Tree) Get(name string) (Entry, bool) {
	e, ok := t.entries[Clean(name)]
	return e, ok
}

// Paths returns every path in sorted order.
func (t *Tree) Paths() []string {
	return slices.Sorted(maps.Keys(t.entries))
}

// Clean returns the form in which a Tree keeps paths: "/a/./b/" becomes "a/b".
func Clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}

// WriteTar writes the tree in path order with all modification times at the Unix epoch, so that equal trees give equal
// bytes.
func (t *Tree) WriteTar(w io.Writer) error {
	tw := tar.NewWriter(w)
	for _, name := range t.Paths() {
		if err := writeEntry(tw, name, t.entries[name]); err != nil {
			return fmt.Errorf("cannot write %s into the layer: %w", name, err)
		}
	}
	return tw.Close()
}

func writeEntry(tw *tar.Writer, name string, e Entry) error {
	h := &tar.Header{
		Name: name, Mode: e.Mode, Uid: e.Owner, Gid: e.Owner,
		ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg, Format: tar.FormatPAX,
	}
	switch {
	case e.Dir:
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
	case e.Link != "":
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.Link
	default:
		h.Size = int64(len(e.Content))
	}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	_, err := tw.Write(e.Content)
	return err
}

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
