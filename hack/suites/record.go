package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
)

// record is the result of one part of a full run.
type record struct {
	Shard string `json:"shard"`
	// Commit is the commit that ran. It ends with "-dirty" if files differed from it.
	Commit string `json:"commit"`
	// Date is the day on which the part ended, and Seconds is how long it took with its preparation.
	Date    string `json:"date"`
	Seconds int    `json:"seconds"`
	// Tests is the number of tests, and Failed has the suites that failed.
	Tests  int      `json:"tests"`
	Failed []string `json:"failed,omitempty"`
	// Units are the packages and commands that ran.
	Units []string `json:"units"`
}

// recordsName is the file with the records, in the cache of the developer tools: all checkouts of a machine share it.
const recordsName = "full-run.yaml"

// recordsFile returns the path of the records.
func recordsFile() (string, error) {
	cache, err := paths.FindCache(os.Getenv)
	return filepath.Join(cache, recordsName), err
}

// records is the content of the file.
type records struct {
	Shards []record `json:"shards"`
}

func readRecords(file string) (records, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return records{}, nil
	}
	if err != nil {
		return records{}, err
	}
	var r records
	if err := yaml.UnmarshalStrict(content, &r); err != nil {
		return records{}, fmt.Errorf("%s is not valid: %w", file, err)
	}
	return r, nil
}

// writeRecord replaces the record of a shard. Records of another number of shards remain: shards of several divisions may add up too.
func writeRecord(file string, one record) error {
	r, err := readRecords(file)
	if err != nil {
		return err
	}
	r.Shards = slices.DeleteFunc(r.Shards, func(other record) bool { return other.Shard == one.Shard })
	r.Shards = append(r.Shards, one)
	slices.SortFunc(r.Shards, func(a, b record) int { return cmp.Compare(a.Shard, b.Shard) })
	content, err := yaml.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o644)
}

// recordOf summarizes a run of one shard.
func recordOf(shard, commit string, outcomes []outcome, units []string, duration time.Duration, now time.Time) record {
	r := record{Shard: shard, Commit: commit, Date: now.UTC().Format(time.DateOnly), Seconds: int(duration.Seconds()), Units: units}
	for _, o := range outcomes {
		r.Tests += o.counts.total()
		if o.err != nil {
			r.Failed = append(r.Failed, o.name)
		}
	}
	return r
}

// unitNames returns the names of all units of suites, without the folder of the checkout.
func unitNames(c checkout, all []suite, b budget) ([]string, error) {
	var list []string
	for _, s := range all {
		commands, err := s.commands(c)
		if err != nil {
			return nil, err
		}
		for _, u := range unitsOf(s.name, commands, b.Seconds) {
			list = append(list, strings.ReplaceAll(u.label(commands), c.root+string(filepath.Separator), ""))
		}
	}
	slices.Sort(list)
	return list, nil
}

// label names a unit in a record, such as "unit ./internal/mesh/scope" or "unit FuzzSplit ./internal/mesh/ingest".
func (u workUnit) label(commands []command) string {
	c := commands[u.command]
	words := []string{u.suite}
	if c.goTest {
		if module := filepath.Base(c.dir); module == "hack" || module == "authorizer" {
			words = append(words, module)
		}
		if i := slices.Index(c.flags, "-fuzz"); i >= 0 {
			words = append(words, strings.Trim(c.flags[i+1], "^$"))
		}
	}
	return strings.Join(append(words, u.name), " ")
}

// reportWhole writes whether the recorded shards add up to a whole run of the checkout.
func reportWhole(ctx context.Context, c checkout, b budget, out io.Writer) error {
	c.full = true
	file, err := recordsFile()
	if err != nil {
		return err
	}
	list, err := readRecords(file)
	if err != nil {
		return err
	}
	units, err := unitNames(c, suites(), b)
	if err != nil {
		return err
	}
	problems, err := list.missing(units, func(commit string) ([]string, error) { return productChanges(ctx, c.root, commit) })
	if err != nil {
		return err
	}
	for _, r := range list.Shards {
		fmt.Fprintf(out, "%s  %s  %s  %s  %s\n", r.Shard, r.Commit, r.Date, pluralize(r.Tests, "test"), time.Duration(r.Seconds)*time.Second)
	}
	for _, problem := range problems {
		fmt.Fprintln(out, problem)
	}
	if len(problems) == 0 {
		fmt.Fprintln(out, "the recorded shards are a whole run of this checkout")
		return nil
	}
	earlier, err := list.wholeOf(units, func(from, to string) ([]string, error) { return productChanges(ctx, c.root, from, to) })
	if err == nil && earlier != "" {
		return fmt.Errorf("the recorded shards are a whole run of commit %s, and the product changed since", earlier)
	}
	return errors.Join(errors.New("the recorded shards are no whole run of this checkout"), err)
}

// productChanges lists the product files that differ between two commits, or between one commit and the checkout.
func productChanges(ctx context.Context, root string, commits ...string) ([]string, error) {
	text, err := build.Output(ctx, build.Command{Dir: root, Args: append([]string{"git", "diff", "--name-only"}, commits...)})
	return slices.DeleteFunc(strings.Fields(text), func(file string) bool { return !isProduct(file) }), err
}

// wholeOf returns the commit of which the records are a whole run; empty if they are none. The product is the same at all commits of a whole run.
func (r records) wholeOf(units []string, changed func(from, to string) ([]string, error)) (string, error) {
	if len(r.Shards) == 0 {
		return "", nil
	}
	last := r.Shards[len(r.Shards)-1].Commit
	problems, err := r.missing(units, func(commit string) ([]string, error) { return changed(commit, last) })
	if err != nil || len(problems) > 0 {
		return "", err
	}
	return last, nil
}

// missing lists what the records lack to be a whole run: units that no passed shard ran, and product files that changed since a shard ran. A shard of an
// earlier product is no problem if all its units ran again, as in another division.
func (r records) missing(units []string, changed func(commit string) ([]string, error)) ([]string, error) {
	var problems []string
	ran, stale := map[string]bool{}, map[string][]string{} // units, and the changed files of shards
	for _, one := range r.Shards {
		if one.Commit == unknownCommit || strings.HasSuffix(one.Commit, dirtySuffix) {
			problems = append(problems, fmt.Sprintf("shard %s ran with files that are in no commit: %s", one.Shard, one.Commit))
			continue
		}
		files, err := changed(one.Commit)
		if err != nil {
			return nil, err
		}
		switch {
		case len(files) > 0:
			stale[one.Shard] = files
		case len(one.Failed) > 0:
			problems = append(problems, fmt.Sprintf("shard %s failed: %s", one.Shard, strings.Join(one.Failed, ", ")))
		default:
			for _, unit := range one.Units {
				ran[unit] = true
			}
		}
	}
	lacking := slices.DeleteFunc(slices.Clone(units), func(unit string) bool { return ran[unit] })
	isLacking := func(unit string) bool { return slices.Contains(lacking, unit) }
	for _, one := range r.Shards {
		if files := stale[one.Shard]; len(files) > 0 && slices.ContainsFunc(one.Units, isLacking) {
			problems = append(problems, fmt.Sprintf("since shard %s ran, the product changed: %s", one.Shard, shortened(files)))
		}
	}
	if len(lacking) > 0 {
		problems = append(problems, fmt.Sprintf("no shard that counts ran %s of %d: %s", pluralize(len(lacking), "unit"), len(units), shortened(lacking)))
	}
	return problems, nil
}

// shortened lists the first of many names.
func shortened(names []string) string {
	const shown = 5
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:shown], ", ") + ", ..."
}

// isProduct reports whether a file is part of the product: not a test, a text or a developer tool.
func isProduct(file string) bool {
	for _, folder := range []string{".ci/", ".github/", "docs/", "e2e/", "hack/", "internal/testing/"} {
		if strings.HasPrefix(file, folder) {
			return false
		}
	}
	for _, end := range []string{"_test.go", ".md"} {
		if strings.HasSuffix(file, end) {
			return false
		}
	}
	return !strings.Contains(file, "/testdata/") && file != "mkdocs.yml" && file != "Makefile"
}
