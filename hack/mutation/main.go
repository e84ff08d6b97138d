package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/hack/internal/entrypoint"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func main() {
	entrypoint.Main("mutation", func(ctx context.Context) error { return run(ctx, os.Stdout, os.Args[1:]) })
}

func run(ctx context.Context, out io.Writer, args []string) error {
	flags := flag.NewFlagSet("mutation", flag.ContinueOnError)
	number := flags.Int("n", 0, "number of mutants, chosen by -seed; 0 for all")
	seed := flags.Uint64("seed", 1, "seed of the choice of mutants")
	with := flags.String("with", "", "folders of further packages whose tests count, each with the pattern of its tests: FOLDER:PATTERN,...")
	files := flags.String("files", "", "names of the files with the mutants, for example split.go,egress.go; empty for all files of the package")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 || flags.Arg(0) == "" {
		return errors.New("name the folder of one package, for example internal/mesh/authz")
	}
	root, err := repo.Root(".")
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "osm-mutation-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	b := builder{root: root, scratch: scratch, folder: filepath.Clean(flags.Arg(0))}
	if *with != "" {
		b.tests = strings.Split(*with, ",")
	}
	mutants, programs, err := b.build(ctx)
	if err != nil {
		return err
	}
	explained, err := readExplained(filepath.Join(root, "hack", "mutation", "explained.yaml"))
	if err != nil {
		return err
	}
	r, err := newRunner(ctx, programs)
	if err != nil {
		return err
	}
	return report(ctx, out, sample(inFiles(mutants, *files), *number, *seed), explained, func(m mutant) bool {
		_, passes := r.passes(ctx, m.id)
		return passes
	})
}

// inFiles returns the mutants of some files, whose names are joined by commas; empty means all.
func inFiles(mutants []mutant, files string) []mutant {
	if files == "" {
		return mutants
	}
	names := strings.Split(files, ",")
	return slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool { return !slices.Contains(names, filepath.Base(m.file)) })
}

// sample chooses a number of mutants, in their order; 0 means all.
func sample(mutants []mutant, number int, seed uint64) []mutant {
	if number <= 0 || number >= len(mutants) {
		return mutants
	}
	chosen := slices.Clone(mutants)
	random := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // the same choice for the same seed
	random.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	chosen = chosen[:number]
	slices.SortFunc(chosen, func(a, b mutant) int { return a.id - b.id })
	return chosen
}

// readExplained reads why mutants change no behaviour, by their keys.
func readExplained(path string) (map[string]string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	explained := map[string]string{}
	if err := yaml.UnmarshalStrict(content, &explained); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return explained, nil
}

// report tests the mutants, and prints those that live without an explanation.
func report(ctx context.Context, out io.Writer, mutants []mutant, explained map[string]string, lives func(mutant) bool) error {
	var killed, known, unknown int
	for _, m := range mutants {
		alive := lives(m)
		if err := ctx.Err(); err != nil {
			return err
		}
		_, isExplained := explained[m.key()]
		switch {
		case !alive:
			killed++
		case isExplained:
			known++
		default:
			unknown++
			_, _ = fmt.Fprintln(out, m)
		}
	}
	_, err := fmt.Fprintf(out, "%d mutants: tests notice %d, explained.yaml explains %d, %d are listed above\n", len(mutants), killed, known, unknown)
	return err
}

// mutant is one change of the code.
type mutant struct {
	// id selects the mutant, from 1.
	id int
	// file is relative to the root of the checkout.
	file string
	line int
	// function is the surrounding function, text the code that changes, and change how it changes.
	function, text, change string
}

// key identifies the mutant in explained.yaml. It has no line number, so that it survives other edits of the file.
func (m mutant) key() string {
	return fmt.Sprintf("%s %s: %s %s", m.file, m.function, m.text, m.change)
}

// String is the mutant with its place.
func (m mutant) String() string {
	return fmt.Sprintf("%s:%d: %s: %s %s", m.file, m.line, m.function, m.text, m.change)
}

// abbreviate returns code in one line, and not all of a long one.
func abbreviate(code string) string {
	const longest = 100
	code = strings.Join(strings.Fields(code), " ")
	if len(code) > longest {
		return code[:longest] + "..."
	}
	return code
}

// runner runs tests with one mutant at a time.
type runner struct {
	programs []program
	// limit bounds the tests of a package with a mutant.
	limit time.Duration
}

// newRunner runs the tests without a mutant. They must pass, and their duration limits that of the tests with one.
func newRunner(ctx context.Context, programs []program) (runner, error) {
	r := runner{programs: programs, limit: time.Hour}
	begin := time.Now()
	output, ok := r.passes(ctx, 0)
	if !ok {
		return r, fmt.Errorf("the tests fail without a change:\n%s", output)
	}
	const startup = 20 * time.Second
	r.limit = 10*time.Since(begin) + startup
	return r, ctx.Err()
}

// passes reports whether all tests pass with a mutant.
func (r runner) passes(ctx context.Context, id int) (output string, ok bool) {
	for _, p := range r.programs {
		args := []string{"-test.short", "-test.failfast", "-test.timeout=" + r.limit.String(), "-test.run=" + p.pattern}
		if p.random {
			// The same values for each mutant, and no search for the smallest ones that fail.
			args = append(args, "-rapid.seed=1", "-rapid.checks=300", "-rapid.nofailfile", "-rapid.shrinktime=1ms")
		}
		cmd := exec.CommandContext(ctx, p.binary, args...)
		cmd.Dir = p.folder
		cmd.Env = append(os.Environ(), fmt.Sprintf("MUTANT=%d", id))
		if out, err := cmd.CombinedOutput(); err != nil {
			return string(out), false
		}
	}
	return "", true
}

// program is the tests of one package, with all mutants.
type program struct {
	binary, folder string
	// pattern selects the tests; empty means all.
	pattern string
	// random is true if the package has property tests.
	random bool
}

// builder compiles the mutants of a package.
type builder struct {
	// root is the root of the checkout, scratch a folder for generated files.
	root, scratch string
	// folder is that of the mutated package, relative to root.
	folder string
	// tests are those of further packages, as "<folder>" or "<folder>:<pattern>".
	tests []string
}

// build returns the mutants and the programs with them. A line with a mutant that does not compile gets none.
func (b builder) build(ctx context.Context) ([]mutant, []program, error) {
	excluded := map[string]map[int]bool{}
	for {
		mutants, overlay, err := b.instrument(excluded)
		if err != nil {
			return nil, nil, err
		}
		programs, output, err := b.compile(ctx, overlay)
		if err == nil {
			return mutants, programs, nil
		}
		// With -trimpath, the compiler names the files with the mutants.
		if !exclude(strings.ReplaceAll(output, b.scratch, b.folder), excluded) {
			return nil, nil, fmt.Errorf("compile the mutants of %s: %w\n%s", b.folder, err, output)
		}
	}
}

// instrument writes the sources with their mutants, and the file that makes the compiler use them.
func (b builder) instrument(excluded map[string]map[int]bool) ([]mutant, string, error) {
	files, err := filepath.Glob(filepath.Join(b.root, b.folder, "*.go"))
	if err != nil {
		return nil, "", err
	}
	var mutants []mutant
	replace := map[string]string{}
	write := func(name, text string) error {
		copied := filepath.Join(b.scratch, name)
		replace[filepath.Join(b.root, b.folder, name)] = copied
		return os.WriteFile(copied, []byte(text), 0o600)
	}
	id := 0
	for _, path := range files {
		name := filepath.Base(path)
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, "", err
		}
		file := filepath.Join(b.folder, name)
		text, found, err := instrument(file, string(source), func() int { id++; return id }, excluded[file])
		if err != nil {
			return nil, "", err
		}
		mutants = append(mutants, found...)
		if err := write(name, text); err != nil {
			return nil, "", err
		}
	}
	if err := write("mutants.go", fmt.Sprintf(runtimeCode, filepath.Base(b.folder))); err != nil {
		return nil, "", err
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, "", err
	}
	overlay := filepath.Join(b.scratch, "overlay.json")
	return mutants, overlay, os.WriteFile(overlay, content, 0o600)
}

func (b builder) compile(ctx context.Context, overlay string) (programs []program, output string, err error) {
	for n, tests := range append([]string{b.folder}, b.tests...) {
		folder, pattern, _ := strings.Cut(tests, ":")
		p := program{binary: filepath.Join(b.scratch, fmt.Sprintf("%d.test", n)), folder: filepath.Join(b.root, folder), pattern: pattern}
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlay, "-gcflags=-e", "-o", p.binary, "./"+folder)
		cmd.Dir = b.root
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, string(out), err
		}
		if _, err := os.Stat(p.binary); errors.Is(err, fs.ErrNotExist) {
			continue // the package has no tests
		}
		if p.random, err = isRandom(p.folder); err != nil {
			return nil, "", err
		}
		programs = append(programs, p)
	}
	if len(programs) == 0 {
		return nil, "", errors.New("there are no tests: name those of other packages with -with")
	}
	return programs, "", nil
}

// isRandom reports whether a folder has property tests.
func isRandom(folder string) (bool, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		return false, err
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return false, err
		}
		if strings.Contains(string(content), `"pgregory.net/rapid"`) {
			return true, nil
		}
	}
	return false, nil
}

// compileError is the place of an error of the compiler.
var compileError = regexp.MustCompile(`(?m)^(?:\./)?(\S+\.go):(\d+):\d+: `)

// exclude adds the lines with errors of the compiler, and reports whether there is a new one.
func exclude(output string, excluded map[string]map[int]bool) bool {
	added := false
	for _, found := range compileError.FindAllStringSubmatch(output, -1) {
		line, err := strconv.Atoi(found[2])
		if err != nil || excluded[found[1]][line] {
			continue
		}
		if excluded[found[1]] == nil {
			excluded[found[1]] = map[int]bool{}
		}
		excluded[found[1]][line], added = true, true
	}
	return added
}
