package validate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSamplesHaveNoProblems validates the sample manifests.
func TestSamplesHaveNoProblems(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.yaml", "bookstore/*/*.yaml"} {
		found, err := filepath.Glob(filepath.Join("..", "..", "..", "config", "samples", pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 4 {
		t.Fatalf("only %q are samples", files)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range strings.Split(string(content), "\n---\n") {
			if problems := Object(parse(t, document)); len(problems) > 0 {
				t.Errorf("%s: %+v", file, problems)
			}
		}
	}
}
