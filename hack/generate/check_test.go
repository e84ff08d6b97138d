package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// writeStep returns a step that writes the given files below the root and removes those without content.
func writeStep(content map[string]string) step {
	return step{name: "code", outputs: []string{"out/*.txt"}, run: func(_ context.Context, g generator) error {
		for name, text := range content {
			path := filepath.Join(g.root, "out", name)
			if text == "" {
				if err := os.Remove(path); err != nil {
					return err
				}
				continue
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				return err
			}
		}
		return nil
	}}
}

func TestVerify(t *testing.T) {
	tests := map[string]struct {
		generated map[string]string
		want      []string
	}{
		"up to date":    {map[string]string{"a.txt": "a"}, nil},
		"changed":       {map[string]string{"a.txt": "A"}, []string{"out/a.txt"}},
		"new file":      {map[string]string{"b.txt": "b"}, []string{"out/b.txt"}},
		"deleted file":  {map[string]string{"a.txt": ""}, []string{"out/a.txt"}},
		"several files": {map[string]string{"a.txt": "A", "b.txt": "b"}, []string{"out/a.txt", "out/b.txt"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			g := generator{root: root}
			if err := os.Mkdir(filepath.Join(root, "out"), 0o755); err != nil {
				t.Fatal(err)
			}
			original := files{"out/a.txt": []byte("a")}
			if err := os.WriteFile(filepath.Join(root, "out", "a.txt"), []byte("a"), 0o644); err != nil {
				t.Fatal(err)
			}
			err := verify(t.Context(), g, []step{writeStep(tt.generated)})
			if (err != nil) != (len(tt.want) > 0) {
				t.Fatalf("verify returned %v, the changed files are %q", err, tt.want)
			}
			for _, file := range tt.want {
				if !strings.Contains(err.Error(), "\n  "+file) {
					t.Errorf("the error does not contain %s: %v", file, err)
				}
			}
			after, err := readFiles(root, []string{"out/*.txt"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(original, after); diff != "" {
				t.Errorf("verify did not restore the files (-before +after):\n%s", diff)
			}
		})
	}
}

func TestSelectSteps(t *testing.T) {
	if _, err := selectSteps(steps(), []string{"manifest"}); err == nil {
		t.Error("an unknown step was accepted")
	}
	desired, err := selectSteps(steps(), []string{"manifests"})
	if err != nil || len(desired) != 4 {
		t.Errorf("selectSteps(manifests) = %d steps, %v; want the 4 of that name", len(desired), err)
	}
}
