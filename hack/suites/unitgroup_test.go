package main

import (
	"slices"
	"testing"
)

func TestGroupsNamePackages(t *testing.T) {
	packages, err := findPackages("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range []unitGroup{realTime, sequential} {
		for _, folder := range group.folders() {
			if !slices.ContainsFunc(packages, func(p testPackage) bool { return p.isBelow(folder) }) {
				t.Errorf("%s has no test, or does not exist", folder)
			}
		}
	}
}

// Tests that draw random values are never answered from the test cache, and the race detector is part of each full run except where it finds nothing.
func TestUnitTestsDrawAnew(t *testing.T) {
	const test = "package p\n\nfunc TestX() {}\n"
	root := writeTree(t, map[string]string{
		"go.mod":                                "module m\n",
		"hack/go.mod":                           "module h\n",
		"hack/a/a_test.go":                      test,
		"random/r.go":                           "package p\n\nvar X sync.Mutex\n",
		"random/r_test.go":                      test,
		"internal/testing/verdict/v_test.go":    test,
		"internal/testing/bench/mesh/m_test.go": test,
		"internal/mesh/scope/s_test.go":         test,
	})
	for dir, want := range map[string]struct{ race, raceInFull bool }{
		"./random": {true, true}, "./internal/testing/verdict": {false, true}, "./internal/mesh/scope": {false, true}, "./internal/testing/bench/mesh": {false, false},
	} {
		for _, full := range []bool{false, true} {
			packages, err := findPackages(root)
			if err != nil {
				t.Fatal(err)
			}
			p := packages[slices.IndexFunc(packages, func(p testPackage) bool { return p.dir == dir })]
			var commands []command
			for _, of := range []func(checkout) ([]command, error){realTimeTests, unit} {
				list, err := of(checkout{root: root, full: full})
				if err != nil {
					t.Fatal(err)
				}
				commands = append(commands, list...)
			}
			i := slices.IndexFunc(commands, func(c command) bool { return slices.Contains(c.packages, dir) })
			if i < 0 {
				t.Fatalf("%s does not run", dir)
			}
			if !slices.Contains(commands[i].flags, "-count=1") {
				t.Errorf("%s runs with the test cache", dir)
			}
			isRace := want.race
			if full {
				isRace = want.raceInFull
			}
			if got := (checkout{full: full}).races(p); got != isRace {
				t.Errorf("%s is compiled for the race detector: %t, want %t (full: %t)", dir, got, isRace, full)
			}
			if got := slices.Contains(commands[i].flags, "-race"); got != isRace {
				t.Errorf("%s runs with the race detector: %t, want %t (full: %t)", dir, got, isRace, full)
			}
		}
	}
}
