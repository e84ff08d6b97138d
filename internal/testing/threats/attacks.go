package threats

import (
	"bytes"
	_ "embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"sigs.k8s.io/yaml"
)

// attacksFile is the list of attacks.
//
//go:embed attacks.yaml
var attacksFile []byte

// LastNumber is the number of the last numbered attack. The numbers start at 1.
const LastNumber = 61

// Attack is an attack, or invalid input, and what happens.
type Attack struct {
	Attack string `json:"attack"`
	// Numbers are such as "15", "30, 31" or "15 to 21". It is empty for an attack without a number.
	Numbers string `json:"numbers,omitempty"`
	Result  string `json:"result"`
	// Tests are the tests that verify the result.
	Tests []string `json:"tests"`
}

// Attacks returns all attacks, in the order of the page.
func Attacks() ([]Attack, error) {
	var all []Attack
	if err := yaml.UnmarshalStrict(attacksFile, &all); err != nil {
		return nil, fmt.Errorf("attacks.yaml: %w", err)
	}
	return all, nil
}

var (
	number    = regexp.MustCompile(`\d+`)
	ofAThreat = regexp.MustCompile(`^TestThreat(\d+(?:(?:And|To)\d+)?)`)
)

// Includes reports whether an attack has a number.
func (a Attack) Includes(n int) bool { return slices.Contains(numbersIn(a.Numbers), n) }

// numbersIn returns the numbers in a text such as "30, 31", "15 to 21" or "14To23".
func numbersIn(text string) []int {
	var all []int
	for _, digits := range number.FindAllString(text, -1) {
		n, err := strconv.Atoi(digits)
		if err != nil {
			return nil
		}
		all = append(all, n)
	}
	if len(all) != 2 || !strings.Contains(strings.ToLower(text), "to") {
		return all
	}
	first, last := all[0], all[1]
	all = nil
	for n := first; n <= last; n++ {
		all = append(all, n)
	}
	return all
}

// Problems compares the attacks with the names of all tests: each number needs an attack, each attack existing tests, and each test with a number
// the attack of that number.
func Problems(attacks []Attack, tests map[string]string) []string {
	var problems []string
	for n := 1; n <= LastNumber; n++ {
		if !slices.ContainsFunc(attacks, func(a Attack) bool { return a.Includes(n) }) {
			problems = append(problems, fmt.Sprintf("attack %d has no row", n))
		}
	}
	for _, a := range attacks {
		if a.Result == "" || len(a.Tests) == 0 {
			problems = append(problems, fmt.Sprintf("the attack %q has no result or no test", a.Attack))
		}
		for _, name := range a.Tests {
			if tests[name] == "" {
				problems = append(problems, fmt.Sprintf("the attack %q names %s, which does not exist", a.Attack, name))
			}
		}
	}
	for name := range tests {
		problems = append(problems, missingRow(attacks, name)...)
	}
	slices.Sort(problems)
	return problems
}

// missingRow returns a problem if no attack with the number of a test names it.
func missingRow(attacks []Attack, test string) []string {
	found := ofAThreat.FindStringSubmatch(test)
	if found == nil {
		return nil
	}
	for _, n := range numbersIn(found[1]) {
		if slices.ContainsFunc(attacks, func(a Attack) bool { return a.Includes(n) && slices.Contains(a.Tests, test) }) {
			return nil
		}
	}
	return []string{fmt.Sprintf("no attack of the number of %s names it", test)}
}

// pageTemplate is docs/threats.md without the rows of the attacks.
//
//go:embed page.md.tmpl
var pageTemplate string

// Page renders docs/threats.md. The names of tests link to their files.
func Page(attacks []Attack, tests map[string]string) ([]byte, error) {
	parsed, err := template.New("threats.md").Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	var rows strings.Builder
	for _, a := range attacks {
		links := make([]string, len(a.Tests))
		for i, name := range a.Tests {
			links[i] = fmt.Sprintf("[`%s`](../%s)", name, tests[name])
		}
		numbers := a.Numbers
		if numbers == "" {
			numbers = "–"
		}
		fmt.Fprintf(&rows, "| %s | %s | %s | %s |\n", numbers, a.Attack, a.Result, strings.Join(links, ", "))
	}
	var page bytes.Buffer
	err = parsed.Execute(&page, map[string]any{"Rows": strings.TrimSuffix(rows.String(), "\n")})
	return page.Bytes(), err
}

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
