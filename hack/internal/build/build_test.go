package build

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyDependsOnEveryInput(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.go"), "package a")
	base := Artifact{Name: "x", Inputs: []string{"v1", "flag"}, Sources: []string{dir}}
	first := key(t, base)
	if again := key(t, base); again != first {
		t.Errorf("the same artifact has keys %s and %s", first, again)
	}
	for name, other := range map[string]Artifact{
		"name":           {Name: "y", Inputs: base.Inputs, Sources: base.Sources},
		"version":        {Name: "x", Inputs: []string{"v2", "flag"}, Sources: base.Sources},
		"input boundary": {Name: "x", Inputs: []string{"v1f", "lag"}, Sources: base.Sources},
		"fewer sources":  {Name: "x", Inputs: base.Inputs},
	} {
		if key(t, other) == first {
			t.Errorf("a different %s gives the same key", name)
		}
	}
	write(t, filepath.Join(dir, "a.go"), "package b")
	if key(t, base) == first {
		t.Error("a changed source file gives the same key")
	}
}

func TestEnsureBuildsOnceAndLeavesNoPartialFolder(t *testing.T) {
	cache := Cache{Dir: t.TempDir()}
	runs := 0
	broken := errors.New("build failed")
	a := Artifact{Name: "tool", Make: func(_ context.Context, dir string) error {
		runs++
		write(t, filepath.Join(dir, "tool"), "binary")
		if runs == 1 {
			return broken
		}
		return nil
	}}
	runNow := func(f func(context.Context) error) error { return f(context.Background()) }
	if _, err := cache.Ensure(context.Background(), a, runNow); !errors.Is(err, broken) {
		t.Fatalf("Ensure returned %v, want the error of the build", err)
	}
	if left, _ := os.ReadDir(filepath.Join(cache.Dir, "tool")); len(left) != 0 {
		t.Errorf("a failed build left %v", left)
	}
	for range 2 {
		dir, err := cache.Ensure(context.Background(), a, runNow)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "tool")); err != nil {
			t.Error(err)
		}
	}
	if runs != 2 {
		t.Errorf("the artifact was built %d times, want one failure and one success", runs)
	}
}

func TestRunErrorContainsOutput(t *testing.T) {
	err := Run(context.Background(), Command{Args: []string{"sh", "-c", "echo the reason; exit 3"}})
	if err == nil || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("error %v does not contain the command's output", err)
	}
}

func key(t *testing.T, a Artifact) string {
	t.Helper()
	k, err := Key(a)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
