// Command matrix lists in docs/support-matrix.md what the tests ran on.
//
// Input: the runs that end-to-end tests have stored in bin/runs, and docs/support-matrix.yaml with the earlier ones. Output: both files in docs. With -check it
// changes nothing, and fails if the page differs from the list.
package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// runs is the content of docs/support-matrix.yaml.
type runs struct {
	Runs []lab.Run `json:"runs"`
}

const (
	listName, pageName = "support-matrix.yaml", "support-matrix.md"
	// begin and end enclose the table in the page.
	begin, end = "<!-- runs: `go run ./e2e/matrix` writes this table -->\n", "<!-- end of runs -->\n"
)

func main() {
	check := flag.Bool("check", false, "fail if the page differs from the list, and change nothing")
	flag.Parse()
	if err := update(*check); err != nil {
		fmt.Fprintln(os.Stderr, "matrix:", err)
		os.Exit(1)
	}
}

// update adds new runs to the list and writes the page.
func update(check bool) error {
	repository, err := lab.FindRepository()
	if err != nil {
		return err
	}
	list, err := readRuns(repository.Path("docs", listName))
	if err != nil {
		return err
	}
	if !check {
		if err := list.addAll(repository.RunsFolder()); err != nil {
			return err
		}
	}
	return list.publish(repository.Path("docs"), check)
}

func readRuns(file string) (*runs, error) {
	list := &runs{}
	text, err := os.ReadFile(file)
	if err == nil {
		err = yaml.UnmarshalStrict(text, list)
	}
	return list, err
}

// addAll adds the runs of a folder, and removes their files. A run of a checkout that differs from its commit says nothing.
func (r *runs) addAll(folder string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var one lab.Run
		if err := yaml.UnmarshalStrict(text, &one); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if strings.HasSuffix(one.Commit, "-dirty") {
			fmt.Fprintf(os.Stderr, "%s ran with uncommitted changes, and is not listed\n", one.Test)
			continue
		}
		r.add(one)
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return nil
}

// add replaces the run of the same test.
func (r *runs) add(one lab.Run) {
	r.Runs = slices.DeleteFunc(r.Runs, func(other lab.Run) bool { return other.Test == one.Test })
	r.Runs = append(r.Runs, one)
	slices.SortFunc(r.Runs, func(a, b lab.Run) int {
		return cmp.Or(cmp.Compare(a.APIServer, b.APIServer), cmp.Compare(a.Nodes, b.Nodes), cmp.Compare(a.Test, b.Test))
	})
}

// table returns the runs as a table of Markdown.
func (r *runs) table() string {
	var b strings.Builder
	b.WriteString("| API server | Kubelet | Nodes | Addresses | Control groups | Shows | Test | Commit, date |\n|---|---|---|---|---|---|---|---|\n")
	for _, one := range r.Runs {
		fmt.Fprintf(&b, "| %s | %s | %d | %s | %s | %s | `%s` | %s, %s |\n", one.APIServer, strings.Join(one.Kubelets, ", "), one.Nodes, one.Families,
			one.ControlGroups, one.Shows, one.Test, one.Commit, one.Date)
	}
	return b.String()
}

// publish writes list and page, or compares them.
func (r *runs) publish(docs string, check bool) error {
	pageFile := filepath.Join(docs, pageName)
	page, err := os.ReadFile(pageFile)
	if err != nil {
		return err
	}
	before, rest, found := bytes.Cut(page, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !found || !closed {
		return fmt.Errorf("%s has no place for the runs: it needs the lines %q and %q", pageFile, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	next := slices.Concat(before, []byte(begin+r.table()+end), after)
	if check {
		if !bytes.Equal(next, page) {
			return errors.New("docs/support-matrix.md differs from docs/support-matrix.yaml: run `go run ./e2e/matrix`")
		}
		return nil
	}
	text, err := yaml.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(docs, listName), text, 0o644); err != nil {
		return err
	}
	return os.WriteFile(pageFile, next, 0o644)
}
