package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/openservicemesh/osm-operator/hack/internal/entrypoint"
	"github.com/openservicemesh/osm-operator/hack/internal/recorded"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func main() {
	entrypoint.Main("beginversion", func(context.Context) error { return run(os.Args[1:]) })
}

// run begins the version that the only argument names.
func run(arguments []string) error {
	if len(arguments) != 1 {
		return errors.New("name one version, for example v0.3.0")
	}
	root, err := repo.Root(".")
	if err != nil {
		return err
	}
	return begin(root, arguments[0])
}

// begin writes the version into a checkout. The present version must be recorded, because nothing can be upgraded from a
// version that was not.
func begin(root, next string) error {
	content, err := os.ReadFile(filepath.Join(root, "VERSION"))
	if err != nil {
		return err
	}
	present := strings.TrimSpace(string(content))
	if !semver.IsValid(next) || semver.Compare(next, present) <= 0 {
		return fmt.Errorf("%q is not a version above %s", next, present)
	}
	_, isRecorded, err := recorded.Commit(root, present)
	if err != nil {
		return err
	}
	if !isRecorded {
		return fmt.Errorf("%s is not recorded: run make release, and commit what it adds", present)
	}
	for folder, pattern := range map[string]string{"config": imageTag, "docs": imageTag + `|` + printed} {
		if err := replace(filepath.Join(root, folder), pattern, present, next); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(root, "VERSION"), []byte(next+"\n"), 0o644)
}

// What precedes a version that is replaced: an image of the project, or what pages print and set. Other mentions are history, such as the
// results of tests with a version.
const (
	imageTag = `(?:openservicemesh|mirror\.example)/[a-z0-9-]+:`
	printed  = `\bversion"?:? ?"?`
)

// replace replaces the present version after a pattern, and the names of its revisions, in all files of a folder, except for test data.
func replace(folder, pattern, present, next string) error {
	dashes := strings.NewReplacer(".", "-")
	mentioned := regexp.MustCompile(`(` + pattern + `)` + regexp.QuoteMeta(present) + `\b`)
	revision := regexp.MustCompile(`-` + dashes.Replace(present) + `\b`)
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "testdata":
			return fs.SkipDir
		case !entry.Type().IsRegular(), strings.HasSuffix(path, "_test.go"):
			return nil // tests of the recorded version stay
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		replaced := revision.ReplaceAll(mentioned.ReplaceAll(content, []byte("${1}"+next)), []byte("-"+dashes.Replace(next)))
		if string(replaced) == string(content) {
			return nil
		}
		return os.WriteFile(path, replaced, entry.Type().Perm()|0o644)
	})
}
