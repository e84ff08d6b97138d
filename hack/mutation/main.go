package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
