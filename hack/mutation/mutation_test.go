package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sampleCode = `package sample

import "errors"

func Allow(age int, banned bool) (bool, error) {
	switch {
	case age < 0:
		return false, errors.New("negative")
	case age >= 18 && !banned:
		return true, nil
	}
	return false, nil
}
`

// sampleTest does not notice that the age of 18 is the limit, and reads no error.
const sampleTest = `package sample

import "testing"

func TestAllow(t *testing.T) {
	for age, want := range map[int]bool{-1: false, 17: false, 30: true} {
		if got, _ := Allow(age, false); got != want {
			t.Errorf("Allow(%d) = %t, want %t", age, got, want)
		}
	}
	if got, _ := Allow(30, true); got {
		t.Error("Allow(30, banned) = true, want false")
	}
}
`

// testModule writes the files of a module, by their paths.
func testModule(t *testing.T, files map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	files["go.mod"] = "module example.com/mutation\n\ngo 1.26\n"
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// testMutants builds the mutants of the sample in a module of its own.
func testMutants(t *testing.T) ([]mutant, runner) {
	t.Helper()
	root := testModule(t, map[string]string{"sample/sample.go": sampleCode, "sample/sample_test.go": sampleTest})
	mutants, programs, err := builder{root: root, scratch: t.TempDir(), folder: "sample"}.build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRunner(t.Context(), programs)
	if err != nil {
		t.Fatal(err)
	}
	return mutants, r
}

func TestUnnoticedMutantsAreListed(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Fatal(err)
	}
	mutants, r := testMutants(t)
	var out strings.Builder
	explained := map[string]string{`sample/sample.go Allow: age >= 18 excludes its boundary`: "18 counts as an adult in the next year"}
	err := report(t.Context(), &out, mutants, explained, func(m mutant) bool { _, ok := r.passes(t.Context(), m.id); return ok })
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{
		`sample/sample.go:7: Allow: age < 0 is false`,
		`sample/sample.go:7: Allow: age < 0 includes its boundary`,
		`sample/sample.go:8: Allow: errors.New("negative") is no error`,
		`12 mutants: tests notice 8, explained.yaml explains 1, 3 are listed above`,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("the report about the sample (-want +got):\n%s", diff)
	}
}

// TestPackageWithoutTests has its tests in another package, and needs some.
func TestPackageWithoutTests(t *testing.T) {
	user := `package user

import (
	"testing"

	"example.com/mutation/sample"
)

func TestUser(t *testing.T) {
	if got, _ := sample.Allow(30, false); !got {
		t.Error("30 is too young")
	}
}
`
	b := builder{root: testModule(t, map[string]string{"sample/sample.go": sampleCode, "user/user_test.go": user}), scratch: t.TempDir(), folder: "sample", tests: []string{"user"}}
	_, programs, err := b.build(t.Context())
	if err != nil || len(programs) != 1 {
		t.Fatalf("the programs are %v (%v), want that of the user", programs, err)
	}
	if _, err := newRunner(t.Context(), programs); err != nil {
		t.Error(err)
	}
	b.tests = nil
	b.scratch = t.TempDir()
	if _, _, err := b.build(t.Context()); err == nil || !strings.Contains(err.Error(), "-with") {
		t.Errorf("without tests the error is %v", err)
	}
}

// A package whose tests fail would notice every mutant.
func TestFailingTestsEndTheRun(t *testing.T) {
	p := program{binary: "/bin/false", folder: t.TempDir()}
	if _, err := newRunner(t.Context(), []program{p}); err == nil || !strings.Contains(err.Error(), "without a change") {
		t.Errorf("the run with failing tests begins with the error %v, want one about tests that fail without a change", err)
	}
}

func TestSampleDependsOnSeedOnly(t *testing.T) {
	mutants := make([]mutant, 50)
	for i := range mutants {
		mutants[i].id = i + 1
	}
	first, same, other := sample(mutants, 10, 1), sample(mutants, 10, 1), sample(mutants, 10, 2)
	if len(first) != 10 || !slices.Equal(first, same) || slices.Equal(first, other) {
		t.Errorf("samples of 10 mutants: %v and %v with seed 1, %v with seed 2", first, same, other)
	}
	if all := sample(mutants, 0, 1); len(all) != len(mutants) {
		t.Errorf("a sample without a number has %d mutants, want all %d", len(all), len(mutants))
	}
}

// TestExplanationsAreRead checks that each explanation names a mutant of a file that exists, and has a reason.
func TestFilesRestrictTheMutants(t *testing.T) {
	all := []mutant{{id: 1, file: "internal/a/one.go"}, {id: 2, file: "internal/a/two.go"}, {id: 3, file: "internal/a/three.go"}}
	for files, want := range map[string]string{"": "[1 2 3]", "one.go,three.go": "[1 3]", "four.go": "[]"} {
		ids := []int{}
		for _, m := range inFiles(all, files) {
			ids = append(ids, m.id)
		}
		if got := fmt.Sprint(ids); got != want {
			t.Errorf("%q: %s, want %s", files, got, want)
		}
	}
}

func TestExplanationsAreRead(t *testing.T) {
	explained, err := readExplained("explained.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for key, reason := range explained {
		file, _, _ := strings.Cut(key, " ")
		source, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		_, mutants, err := instrument(file, string(source), func() int { return 1 }, nil)
		if err != nil || !slices.ContainsFunc(mutants, func(m mutant) bool { return m.key() == key }) {
			t.Errorf("%s: the file has no such mutant (%v): remove the explanation, or correct it", key, err)
		}
		if reason == "" {
			t.Errorf("%s: the reason is empty", key)
		}
	}
}

// TestEndlessLoopsStayEndless checks that no mutant leaves a loop without a condition, because its function would not compile. One may leave a switch in it.
func TestEndlessLoopsStayEndless(t *testing.T) {
	for loop, want := range map[string]int{
		"for { if f() { continue } }": 0, "for f() { continue }": 1, "for range 3 { continue }": 1, "for { switch { case f(): continue } }": 1, "for { for f() { continue } }": 1,
	} {
		_, mutants, err := instrument("x.go", "package x\nfunc g() {\n"+loop+"\n}\n", func() int { return 1 }, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := len(slices.DeleteFunc(mutants, func(m mutant) bool { return m.change != "is break" }))
		if got != want {
			t.Errorf("%s: %d mutants leave a loop or a switch, want %d", loop, got, want)
		}
	}
}
