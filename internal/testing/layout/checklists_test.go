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
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checklist is a section of CONTRIBUTING.md that names the files to change for an addition, such as a policy kind.
type checklist struct {
	heading string
	// placeholder is replaced by name in the files of the list.
	placeholder, name string
	// example matches the identifiers and texts that stand for the example.
	example *regexp.Regexp
	// folders may have files with the example, except the folders and files in without. Of tests only those in tests have to change.
	folders, without, tests []string
	// text matches lines that stand for the example in YAML and text files of textFolders.
	text        *regexp.Regexp
	textFolders []string
}

// Other retries have names of their own, except those of the Gateway API. The benchmark and the objects of a tenant have some kinds
// only, and osm translate has a counterpart for few.
var policyKind = checklist{
	"### Add a policy kind", "<kind>", "retry",
	regexp.MustCompile(`^("?Retry"?|"retr(y|ies)"|"[^"]*/policy/retry"|Retr(y|ies)(List|Spec|Of|Policies)?|Retries|RetriedServices|KindRetry|EvaluateRetry|retryConflicts|` +
		`newRetryPolicy|drawRetry|EnableRetryPolicy|"enableRetryPolicy"|code(No)?Retr(y|ies)[A-Za-z]+)$`),
	[]string{"api", "controllers/controlplane", "internal/cli", "internal/controlplane", "internal/mesh", "internal/testing"},
	[]string{"internal/mesh/policy/retry/doc.go", "internal/cli/translate", "internal/testing/bench", "internal/testing/tenant", "internal/mesh/ingest/routerule.go", "internal/mesh/envoy/routeretry.go", "internal/testing/objects/routes.go"},
	[]string{"internal/testing/verdict/drawpolicies_test.go"},
	regexp.MustCompile(`\bRetry\b|retries(\b|/|\.)|/retry_|_retry\.yaml`),
	[]string{"PROJECT", "config", "hack/permissions.yaml", "internal/operator/operand/manifests/current"},
}

// The MeshConfig names Jaeger too, because OSM had it there.
var component = checklist{
	"### Add a component", "<component>", "jaeger",
	regexp.MustCompile(`(?i)jaeger`),
	[]string{"api/operator", "cmd", "controllers/operator", "internal/cli", "internal/operator", "internal/packaging"},
	nil, nil,
	regexp.MustCompile(`(?i)jaeger`),
	[]string{"config", "hack/permissions.yaml", "internal/operator/operand/manifests/current"},
}

var message = checklist{
	heading: "### Add an analysis message", placeholder: "<message>", name: "codeHostNetwork", example: regexp.MustCompile(`^codeHostNetwork$`), folders: []string{"internal"},
}

// TestContributingNamesTheFilesToChange verifies the checklists with the files of their examples. A file that names the example and is not in
// the list is one more to change for each addition: derive it from the declaration of the kind or the component instead.
func TestContributingNamesTheFilesToChange(t *testing.T) {
	for _, c := range []checklist{policyKind, component, message} {
		named := map[string]bool{}
		walk(t, c.folders, func(name string) {
			if !slices.ContainsFunc(c.without, func(other string) bool { return name == other || strings.HasPrefix(name, other+"/") }) &&
				(isWritten(name) || slices.Contains(c.tests, name)) && (c.hasFolder(name) || namesExample(t, name, c.example)) {
				named[name] = true
			}
		})
		walk(t, c.textFolders, func(name string) {
			if isWrittenText(name) && c.hasText(t, name) {
				named[name] = true
			}
		})
		if diff := cmp.Diff(c.files(t), named); diff != "" {
			t.Errorf("CONTRIBUTING.md, %q: the files of the checklist (-) and of its example %s (+) differ:\n%s", c.heading, c.name, diff)
		}
	}
}

// walk calls visit for each file of some folders. A folder may be a file.
func walk(t *testing.T, folders []string, visit func(name string)) {
	t.Helper()
	for _, folder := range folders {
		err := fs.WalkDir(os.DirFS(root), folder, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				visit(name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// isWrittenText reports whether a file is YAML or text that nobody generates. Definitions are made from the Go types.
func isWrittenText(name string) bool {
	isText := slices.Contains([]string{".yaml", ".json", ".md", ""}, path.Ext(name))
	return isText && !strings.HasPrefix(name, "config/crd/bases/") && !strings.Contains(name, "/testdata/")
}

// hasText reports whether a file, or its name, stands for the example. Lists of all kinds that are alike are one thing to change.
func (c checklist) hasText(t *testing.T, name string) bool {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return c.text.MatchString(name) || c.text.Match(content)
}

// hasFolder reports whether a file belongs to the folder of the example, which has all of it.
func (c checklist) hasFolder(name string) bool {
	return strings.Contains(name, "/policy/"+c.name+"/")
}

// isWritten reports whether a file is Go source that is neither a test nor generated.
func isWritten(name string) bool {
	return path.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(path.Base(name), "zz_generated")
}

func namesExample(t *testing.T, name string, example *regexp.Regexp) bool {
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

// files returns the files that the checklist names.
func (c checklist) files(t *testing.T) map[string]bool {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(content), c.heading+"\n")
	section, _, _ = strings.Cut(section, "\n### ")
	files := map[string]bool{}
	for _, file := range regexp.MustCompile("`([^` ]+\\.(go|yaml|json|md)|PROJECT)`").FindAllStringSubmatch(section, -1) {
		files[strings.ReplaceAll(file[1], c.placeholder, c.name)] = true
	}
	return files
}
