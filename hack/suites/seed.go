package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
)

// seededFolders returns the folders that tests of random meshes depend on. A change elsewhere, of a page or of the operator, draws no other values.
func seededFolders() []string {
	return []string{"internal/controlplane", "internal/mesh", "internal/platform", "internal/testing"}
}

// seedOf derives a seed of random values from the committed content of a checkout's folders, so that tests of the same content have the same values. It is
// empty without them, or in a folder that is not a checkout of git.
func seedOf(ctx context.Context, root string, folders []string) string {
	args := []string{"git", "rev-parse"}
	for _, folder := range folders {
		args = append(args, "HEAD:"+folder)
	}
	trees, err := build.Output(ctx, build.Command{Dir: root, Args: args})
	if err != nil {
		return ""
	}
	return seedOfTrees(trees)
}

// seedOfTrees returns a number for the hashes of trees, which is never 0.
func seedOfTrees(hashes string) string {
	sum := sha256.Sum256([]byte(hashes))
	return strconv.FormatUint(max(binary.BigEndian.Uint64(sum[:8]), 1), 10)
}
