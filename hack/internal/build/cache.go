package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Cache is a folder of finished artifacts.
type Cache struct{ Dir string }

// Artifact is a build result that takes long to build and depends only on its inputs.
type Artifact struct {
	// Name is the folder's name in the cache, such as "kubernetes".
	Name string
	// Inputs are all strings that determine the content: versions, flags, keys of other artifacts.
	Inputs []string
	// Sources are files and folders whose content determines the artifact too.
	Sources []string
	// Make writes the artifact into an empty folder.
	Make func(ctx context.Context, dir string) error
}

// Folder returns the folder of the artifact, and whether it exists.
func (c Cache) Folder(a Artifact) (string, bool, error) {
	key, err := Key(a)
	if err != nil {
		return "", false, err
	}
	dir := filepath.Join(c.Dir, a.Name, key)
	_, err = os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return dir, false, nil
	}
	return dir, err == nil, err
}

// Ensure builds the artifact if the cache does not have it and returns its folder. Interrupted runs leave no partial
// folder under the final name, and concurrent runs build only once. wrap runs the build and may report it.
func (c Cache) Ensure(ctx context.Context, a Artifact, wrap func(func(context.Context) error) error) (string, error) {
	dir, there, err := c.Folder(a)
	if err != nil || there {
		return dir, err
	}
	unlock, err := Lock(filepath.Join(c.Dir, a.Name+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, there, err = c.Folder(a); err != nil || there {
		return dir, err
	}
	err = wrap(func(ctx context.Context) error { return c.build(ctx, a, dir) })
	if err != nil {
		return "", fmt.Errorf("cannot build %s: %w", a.Name, err)
	}
	return dir, nil
}

func (c Cache) build(ctx context.Context, a Artifact, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".partial-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	if err := os.Chmod(temporary, 0o755); err != nil {
		return err
	}
	if err := a.Make(ctx, temporary); err != nil {
		return err
	}
	return os.Rename(temporary, dir)
}

// Lock takes an exclusive lock on the file and waits for its current holder. It creates the file if needed. The lock
// ends with the process, so a killed run does not leave it behind.
func Lock(file string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot lock %s: %w", file, err)
	}
	return func() { f.Close() }, nil
}

// keyFormat is part of every key. Change it to rebuild all artifacts.
const keyFormat = "1"

// Key returns the hash of everything that determines the artifact: its inputs, the bytes and relative names of its
// sources, the Go toolchain and the platform.
func Key(a Artifact) (string, error) {
	h := sha256.New()
	for _, s := range append([]string{keyFormat, a.Name, runtime.Version(), runtime.GOOS, runtime.GOARCH}, a.Inputs...) {
		fmt.Fprintf(h, "%d:%s\n", len(s), s)
	}
	for _, source := range a.Sources {
		if err := hashTree(h, source); err != nil {
			return "", fmt.Errorf("cannot read the sources of %s: %w", a.Name, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

func hashTree(w io.Writer, root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s %x\n", name, sha256.Sum256(content))
		return nil
	})
}

// Command is one run of a tool.
type Command struct {
	// Dir is the working folder; empty means the current one.
	Dir string
	// Env is added to the environment of this process.
	Env []string
	// Args is the program and its arguments.
	Args []string
}

// hermeticEnv makes the go command ignore the user's flags and any workspace around the module.
var hermeticEnv = []string{"GOFLAGS=", "GOWORK=off"}

// CompilerEnv is the environment of commands that compile Go programs and run none of them. Compilers are short-lived: collecting their garbage costs
// up to a quarter of their time, so each starts to collect at 1 GiB, which few packages reach.
func CompilerEnv() []string { return []string{"GOGC=off", "GOMEMLIMIT=1GiB"} }

// Run runs the command to completion. A failure's error contains the end of the output; otherwise the output is
// dropped.
func Run(ctx context.Context, c Command) error {
	_, err := Output(ctx, c)
	return err
}

// Output runs the command to completion and returns its standard output. A failure's error contains the end of all
// output.
func Output(ctx context.Context, c Command) (string, error) {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir = c.Dir
	cmd.Env = slices.Concat(os.Environ(), hermeticEnv, compilerEnv(c.Args), c.Env)
	var out, problems bytes.Buffer // one each, because the two streams are copied concurrently
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("`%s` failed: %w\n%s", strings.Join(c.Args, " "), err, tail(out.String()+problems.String(), 30))
	}
	return out.String(), nil
}

// compilerEnv is the environment of compilers for a command that only compiles, and empty for others.
func compilerEnv(args []string) []string {
	if len(args) > 1 && args[0] == "go" && (args[1] == "build" || args[1] == "install") {
		return CompilerEnv()
	}
	return nil
}

// tail returns the last n lines.
func tail(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
