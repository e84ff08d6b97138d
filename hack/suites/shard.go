package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
)

// shard is one of several parts that add up to a whole run. The zero value is a run that is not divided.
type shard struct {
	// number counts from 1.
	number, count int
}

// parseShard reads a shard in the form "2/6"; empty is the whole run.
func parseShard(text string) (shard, error) {
	if text == "" {
		return shard{}, nil
	}
	number, count, _ := strings.Cut(text, "/")
	s := shard{}
	var numberErr, countErr error
	s.number, numberErr = strconv.Atoi(number)
	s.count, countErr = strconv.Atoi(count)
	if numberErr != nil || countErr != nil || s.number < 1 || s.number > s.count {
		return shard{}, fmt.Errorf("SHARD=%s is no part of a run: write for example SHARD=2/6", text)
	}
	return s, nil
}

func (s shard) String() string { return fmt.Sprintf("%d/%d", s.number, s.count) }

// longestFirst returns the packages of a suite in the order of their expected times, so that none of the long ones runs alone at the end.
func longestFirst(name string, packages []string, seconds map[string]int) []string {
	return slices.SortedStableFunc(slices.Values(packages), func(a, b string) int {
		return cmp.Compare(expected(name, b, seconds), expected(name, a, seconds))
	})
}

// expected returns the expected time of a package of a suite, in seconds.
func expected(name, dir string, seconds map[string]int) int {
	return cmp.Or(seconds[name+" "+dir], defaultSeconds)
}

// fuzzSeconds is the expected time of a fuzz test with its compilation.
const fuzzSeconds = 40

// defaultSeconds is the expected time of a package that hack/budget.yaml does not list.
const defaultSeconds = 4

// workUnit is what a shard runs or not: a package of a command of go test, or a command that is no test.
type workUnit struct {
	suite            string
	command, element int
	name             string
	seconds          int
}

// divide returns the suites with the commands of this shard. Units are assigned longest first, each to the shard with the least work, so that each unit
// is in exactly one shard. Commands that are no tests and follow tests, such as the check of permissions, are in each shard that has those tests.
func (s shard) divide(c checkout, all []suite, b budget) ([]suite, error) {
	if s.count == 0 {
		return all, nil
	}
	commands := map[string][]command{}
	var units []workUnit
	for _, one := range all {
		list, err := one.commands(c)
		if err != nil {
			return nil, err
		}
		commands[one.name] = list
		units = append(units, unitsOf(one.name, list, b.Seconds)...)
	}
	mine := map[workUnit]bool{}
	for unit, number := range assign(units, s.count) {
		mine[unit] = number == s.number
	}
	var chosen []suite
	for _, one := range all {
		if part := partOf(one.name, commands[one.name], units, mine); len(part) > 0 {
			one.commands = func(checkout) ([]command, error) { return part, nil }
			chosen = append(chosen, one)
		}
	}
	return chosen, nil
}

// unitsOf returns the units of a suite. Commands that are no tests are units only in suites without tests.
func unitsOf(name string, commands []command, seconds map[string]int) []workUnit {
	tests := slices.ContainsFunc(commands, func(c command) bool { return c.goTest })
	var units []workUnit
	for i, c := range commands {
		if !c.goTest {
			if !tests {
				units = append(units, workUnit{suite: name, command: i, name: strings.Join(c.args, " "), seconds: defaultSeconds})
			}
			continue
		}
		for j, p := range c.packages {
			needed := expected(name, p, seconds)
			if slices.Contains(c.flags, "-fuzztime") {
				needed = fuzzSeconds
			}
			units = append(units, workUnit{suite: name, command: i, element: j, name: p, seconds: needed})
		}
	}
	return units
}

// assign returns the shard of each unit.
func assign(units []workUnit, count int) map[workUnit]int {
	sorted := slices.Clone(units)
	slices.SortStableFunc(sorted, func(a, b workUnit) int { return cmp.Compare(b.seconds, a.seconds) })
	load := make([]int, count)
	numbers := map[workUnit]int{}
	for _, unit := range sorted {
		least := slices.Index(load, slices.Min(load))
		load[least] += unit.seconds
		numbers[unit] = least + 1
	}
	return numbers
}

// partOf returns the commands of a suite with the units of a shard.
func partOf(name string, commands []command, units []workUnit, mine map[workUnit]bool) []command {
	packages, chosen := map[int][]string{}, map[int]bool{}
	for _, unit := range units {
		if unit.suite == name && mine[unit] {
			packages[unit.command] = append(packages[unit.command], unit.name)
			chosen[unit.command] = true
		}
	}
	var part []command
	for i, c := range commands {
		switch {
		case c.goTest && chosen[i]:
			part = append(part, c.with(packages[i]))
		case !c.goTest && (chosen[i] || len(part) > 0 && part[len(part)-1].goTest):
			part = append(part, c)
		}
	}
	return part
}

const (
	// unknownCommit is the commit of files outside a repository, and dirtySuffix follows the commit if other files differ from it.
	unknownCommit = "unknown"
	dirtySuffix   = "-dirty"
)

// commitOf returns the commit of a checkout, with dirtySuffix if files differ from it, or unknownCommit.
func commitOf(ctx context.Context, root string) string {
	output := func(args ...string) (string, error) {
		text, err := build.Output(ctx, build.Command{Dir: root, Args: append([]string{"git"}, args...)})
		return strings.TrimSpace(text), err
	}
	commit, err := output("rev-parse", "--short=12", "HEAD")
	if err != nil {
		return unknownCommit
	}
	changed, err := output("status", "--porcelain")
	if err != nil || changed != "" {
		return commit + dirtySuffix
	}
	return commit
}
