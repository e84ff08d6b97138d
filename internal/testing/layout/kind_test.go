package layout

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// example matches the identifiers and texts that stand for the kind Retry. Other retries have names of their own.
var example = regexp.MustCompile(`^("?Retry"?|"retr(y|ies)"|Retr(y|ies)(List|Spec|Of|Policies)?|Retries|RetriedServices|KindRetry|EvaluateRetry|retryConflicts|` +
	`newRetryPolicy|drawRetry|EnableRetryPolicy|"enableRetryPolicy"|code(No)?Retr(y|ies)[A-Za-z]+)$`)

// TestContributingNamesTheFilesOfAPolicyKind verifies the checklist with the files of one kind. A file that names the kind and is not in
// the list is one more that every new kind would have to change: derive it from internal/mesh/kinds instead.
func TestContributingNamesTheFilesOfAPolicyKind(t *testing.T) {
	named := map[string]bool{}
	for _, folder := range []string{"api", "controllers/controlplane", "internal/cli", "internal/controlplane", "internal/mesh", "internal/testing"} {
		err := fs.WalkDir(os.DirFS(root), folder, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case name == "internal/testing/bench": // it measures some kinds only
				return fs.SkipDir
			case isWritten(name) && namesExample(t, name):
				named[name] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(checklist(t), named); diff != "" {
		t.Errorf("CONTRIBUTING.md, \"Add a policy kind\": the files of the checklist (-) and of the kind Retry (+) differ:\n%s", diff)
	}
}

// isWritten reports whether a file is Go source that is neither a test nor generated.
func isWritten(name string) bool {
	return path.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(path.Base(name), "zz_generated")
}

func namesExample(t *testing.T, name string) bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	ast.Inspect(file, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.Ident:
			found = found || example.MatchString(n.Name)
		case *ast.BasicLit:
			found = found || example.MatchString(n.Value)
		}
		return !found
	})
	return found
}

// checklist returns the Go files that CONTRIBUTING.md names for a new policy kind.
func checklist(t *testing.T) map[string]bool {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(content), "### Add a policy kind\n")
	section, _, _ = strings.Cut(section, "\n### ")
	files := map[string]bool{}
	for _, file := range regexp.MustCompile("`([^` ]+\\.go)`").FindAllStringSubmatch(section, -1) {
		files[strings.ReplaceAll(file[1], "<kind>", "retry")] = true
	}
	return files
}
