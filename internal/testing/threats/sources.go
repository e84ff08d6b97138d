package threats

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var declared = regexp.MustCompile(`(?m)^func ([Tt]est\w+)\(`)

// FindTests returns the files of all tests below a folder, relative to it, by the name of the test. Of several tests with a name, it returns the
// first file.
func FindTests(root string) (map[string]string, error) {
	tests := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		for _, name := range declared.FindAllStringSubmatch(string(source), -1) {
			if tests[name[1]] == "" {
				tests[name[1]] = filepath.ToSlash(relative)
			}
		}
		return err
	})
	return tests, err
}
