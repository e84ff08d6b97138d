package main

import (
	"slices"
	"strings"
)

// unitGroup is a part of the unit tests that one run of go test covers.
type unitGroup int

const (
	// concurrent are packages with goroutines. They run with the race detector.
	concurrent unitGroup = iota
	// realTime are packages whose tests have deadlines for real programs. No others run at the same time. Only `make test-full` adds the race detector,
	// which slows down the control plane in the test.
	realTime
	// pure are packages that start no goroutine and guard nothing against one, where the race detector finds little. What they call may have goroutines, so
	// `make test-full` adds it.
	pure
	// sequential are packages that calculate in one goroutine. The race detector finds nothing there, and makes them up to ten times slower.
	sequential
)

// folders are the packages of a group that is chosen by name, with those below them.
func (g unitGroup) folders() []string {
	switch g {
	case realTime:
		return []string{"./internal/testing/neighbour", "./internal/testing/pods", "./internal/testing/verdict"}
	case sequential:
		return []string{"./config", "./internal/packaging", "./internal/testing/bench/mesh", "./internal/testing/layout", "./internal/testing/words"}
	}
	return nil
}

func (p testPackage) isBelow(folder string) bool {
	return p.dir == folder || strings.HasPrefix(p.dir, folder+"/")
}

// groupOf returns the group of a package.
func groupOf(p testPackage) unitGroup {
	for _, group := range []unitGroup{realTime, sequential} {
		if slices.ContainsFunc(group.folders(), p.isBelow) {
			return group
		}
	}
	if !p.concurrent {
		return pure
	}
	return concurrent
}

// races reports whether the unit tests of a package run with the race detector.
func (c checkout) races(p testPackage) bool {
	return p.isUnit() && slices.Contains(groupOf(p).flags(c.full), "-race")
}

// flags returns the flags of go test. They never allow a cached result, which would repeat the random values of an earlier run.
func (g unitGroup) flags(full bool) []string {
	common := []string{"-skip", goldenWord, "-count=1"}
	if g == sequential || g != concurrent && !full {
		return common
	}
	// The linker of the go command is faster than that of C, which -race selects.
	return append([]string{"-race", "-ldflags=-linkmode=internal " + withoutSymbols}, common...)
}
