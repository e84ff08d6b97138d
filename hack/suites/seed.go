package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
)

// seedOf derives a seed of random values from the committed content of a checkout, so that tests of the same content have the same values. It is empty for a
// folder that is not a checkout of git.
func seedOf(ctx context.Context, root string) string {
	tree, err := build.Output(ctx, build.Command{Dir: root, Args: []string{"git", "rev-parse", "HEAD^{tree}"}})
	if err != nil {
		return ""
	}
	return seedOfTree(strings.TrimSpace(tree))
}

// seedOfTree returns the first bytes of the hash of a tree as a number, which is never 0.
func seedOfTree(hash string) string {
	const digits = 15 // of 16 in 64 bits
	if len(hash) < digits {
		return ""
	}
	number, err := strconv.ParseUint(hash[:digits], 16, 64)
	if err != nil {
		return ""
	}
	return strconv.FormatUint(max(number, 1), 10)
}
