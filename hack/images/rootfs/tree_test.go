package rootfs

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func tarBytes(t *testing.T, tree *Tree) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := tree.WriteTar(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestTarIsIndependentOfInsertionOrder(t *testing.T) {
	add := []func(*Tree){
		func(tr *Tree) { tr.File("/usr/bin/a", 0o755, []byte("a")) },
		func(tr *Tree) { tr.Dir("/var/lib/data", 0o750, 65532) },
		func(tr *Tree) { tr.Link("/bin", "usr/bin") },
	}
	first, second := New(), New()
	for i := range add {
		add[i](first)
		add[len(add)-1-i](second)
	}
	if !bytes.Equal(tarBytes(t, first), tarBytes(t, second)) {
		t.Error("the order of insertion changes the tar")
	}
}

func TestTarHasParentsAndOwnersButNoTimes(t *testing.T) {
	tree := New()
	tree.File("usr/bin/a", 0o755, []byte("hello"))
	tree.Dir("/tmp", 0o1777, 0)
	tree.Dir("/var/lib/data/", 0o750, 65532)
	tree.Link("bin", "usr/bin")
	type row struct {
		Name, Link, Content string
		Mode                int64
		Uid                 int
	}
	var got []row
	tr := tar.NewReader(bytes.NewReader(tarBytes(t, tree)))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		if h.ModTime.Unix() != 0 {
			t.Errorf("%s has the time %s, want the epoch", h.Name, h.ModTime)
		}
		got = append(got, row{h.Name, h.Linkname, string(content), h.Mode, h.Uid})
	}
	want := []row{
		{"bin", "usr/bin", "", 0o777, 0},
		{"tmp/", "", "", 0o1777, 0},
		{"usr/", "", "", 0o755, 0},
		{"usr/bin/", "", "", 0o755, 0},
		{"usr/bin/a", "", "hello", 0o755, 0},
		{"var/", "", "", 0o755, 0},
		{"var/lib/", "", "", 0o755, 0},
		{"var/lib/data/", "", "", 0o750, 65532},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries differ (-want +got):\n%s", diff)
	}
}

// elfWithLibrary returns a minimal ELF file with a dynamic section that imports one library.
func elfWithLibrary(lib string) []byte {
	const dynamic, strs = 64 + 3*64, 64 + 3*64 + 32
	names := append([]byte("\x00"+lib), 0)
	var b bytes.Buffer
	head := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: 1, Shoff: 64, Ehsize: 64, Shentsize: 64, Shnum: 3, Shstrndx: 2}
	copy(head.Ident[:], elf.ELFMAG+"\x02\x01\x01")
	entries := []any{
		head,
		elf.Section64{},
		elf.Section64{Type: uint32(elf.SHT_DYNAMIC), Off: dynamic, Size: 32, Link: 2, Entsize: 16},
		elf.Section64{Type: uint32(elf.SHT_STRTAB), Off: strs, Size: uint64(len(names))},
		elf.Dyn64{Tag: int64(elf.DT_NEEDED), Val: 1},
		elf.Dyn64{Tag: int64(elf.DT_NULL)},
		names,
	}
	for _, e := range entries {
		if err := binary.Write(&b, binary.LittleEndian, e); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

func TestCheckLinkedReportsMissingLibraries(t *testing.T) {
	tree := New()
	tree.File("/bin/program", 0o755, elfWithLibrary("libodd.so.7"))
	err := tree.CheckLinked()
	if err == nil || !strings.Contains(err.Error(), "libodd.so.7 (for bin/program)") {
		t.Errorf("error is %v, want the library and the program in it", err)
	}
	tree.Link("/lib/libodd.so.7", "libodd.so.7.1")
	if err := tree.CheckLinked(); err != nil {
		t.Errorf("with the library present, the error is %v", err)
	}
}
