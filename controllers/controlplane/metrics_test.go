package controlplane

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMetrics_AreDocumented checks that docs/observability.md has every metric that the code defines.
func TestMetrics_AreDocumented(t *testing.T) {
	table, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	defined := regexp.MustCompile(`(?:Name:\s*|counter\(|byType\(|NewDesc\()"(osm_[a-z0-9_]*[a-z0-9])"`)
	found := 0
	for _, folder := range []string{"../../internal", "."} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			if filepath.Base(filepath.Dir(path)) == "dashboards" { // names of variables
				return nil
			}
			code, err := os.ReadFile(path)
			for _, match := range defined.FindAllStringSubmatch(string(code), -1) {
				found++
				if !strings.Contains(string(table), "`"+match[1]+"`") {
					t.Errorf("%s defines %s, which docs/observability.md does not describe", path, match[1])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 20 {
		t.Errorf("only %d metrics were found: the pattern does not match the code", found)
	}
}
