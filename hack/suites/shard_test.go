package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fixedSuite is a suite with the given commands.
func fixedSuite(name string, commands ...command) suite {
	return suite{name: name, commands: func(checkout) ([]command, error) { return commands, nil }}
}

func TestShardsAddUpToTheWholeRun(t *testing.T) {
	plain := command{dir: "hack", args: []string{"lint"}}
	check := command{dir: "hack", args: []string{"check"}}
	all := []suite{
		fixedSuite("lint", plain),
		fixedSuite("unit", goTest(".", []string{"./a", "./b", "./c"}, "-race"), goTest("hack", []string{"./a"})),
		fixedSuite("e2e", goTest(".", []string{"./e2e/long", "./e2e/short"}, "-count=1"), check),
	}
	b := budget{Seconds: map[string]int{"e2e ./e2e/long": 100, "unit ./a": 50}}
	for count := 1; count <= 5; count++ {
		ran := map[string]int{}
		for number := 1; number <= count; number++ {
			chosen, err := shard{number, count}.divide(checkout{}, all, b)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range chosen {
				commands, _ := s.commands(checkout{})
				for _, c := range commands {
					for _, p := range append(slices.Clone(c.packages), strings.Join(c.args[:1], "")) {
						ran[fmt.Sprintf("%s %s %s", s.name, c.dir, p)]++
					}
				}
			}
		}
		for _, want := range []string{"lint hack lint", "unit . ./a", "unit . ./b", "unit . ./c", "unit hack ./a", "e2e . ./e2e/long", "e2e . ./e2e/short"} {
			if ran[want] != 1 {
				t.Errorf("%d shards run %q %d times", count, want, ran[want])
			}
		}
		if ran["e2e hack check"] == 0 {
			t.Errorf("no shard of %d runs the check after the tests", count)
		}
	}
}

func TestLongPackagesAreInDifferentShards(t *testing.T) {
	units := unitsOf("e2e", []command{goTest(".", []string{"./a", "./b", "./c", "./d"})}, map[string]int{"e2e ./a": 100, "e2e ./c": 90})
	numbers := assign(units, 2)
	got := map[string]int{}
	for unit, number := range numbers {
		got[unit.name] = number
	}
	if diff := cmp.Diff(map[string]int{"./a": 1, "./c": 2, "./b": 2, "./d": 2}, got); diff != "" {
		t.Errorf("shards (-want +got):\n%s", diff)
	}
}

func TestInvalidShardsAreRejected(t *testing.T) {
	for _, text := range []string{"0/4", "5/4", "2", "a/b", "/"} {
		if _, err := parseShard(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
	if got, err := parseShard("2/4"); err != nil || got != (shard{2, 4}) {
		t.Errorf("2/4 is %v, %v", got, err)
	}
}

// The times in hack/budget.yaml name packages that exist.
func TestTimesNamePackages(t *testing.T) {
	b, err := readBudget("../budget.yaml")
	if err != nil {
		t.Fatal(err)
	}
	packages, err := findPackages("../..")
	if err != nil {
		t.Fatal(err)
	}
	for name := range b.Seconds {
		_, dir, _ := strings.Cut(name, " ")
		if !slices.ContainsFunc(packages, func(p testPackage) bool { return p.dir == dir }) {
			t.Errorf("hack/budget.yaml has a time for %s, which does not exist", name)
		}
	}
}

func TestLongestPackagesComeFirst(t *testing.T) {
	got := longestFirst("unit", []string{"./a", "./b", "./c", "./d"}, map[string]int{"unit ./b": 50, "unit ./d": 60, "e2e ./a": 90})
	if want := []string{"./d", "./b", "./a", "./c"}; !slices.Equal(got, want) {
		t.Errorf("order = %v, want %v", got, want)
	}
}
