package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

// platform is an operating system and an architecture, with Go's names.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "/" + p.arch }

// program returns the file name of the program.
func (p platform) program() string {
	if p.os == "windows" {
		return "osm.exe"
	}
	return "osm"
}

// platforms are all platforms of a release.
var platforms = []platform{
	{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}, {"windows", "arm64"},
}

// selectPlatforms parses a comma-separated list of platforms; an empty list means all.
func selectPlatforms(list string) ([]platform, error) {
	if list == "" {
		return platforms, nil
	}
	var chosen []platform
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(platforms, func(p platform) bool { return p.String() == name })
		if i < 0 {
			return nil, fmt.Errorf("-platforms: %q is not supported: choose from %v", name, platforms)
		}
		chosen = append(chosen, platforms[i])
	}
	return chosen, nil
}

// build builds the program for a platform, packs it with the common files, and returns the archive's path.
func (r release) build(ctx context.Context, p platform, common []file) (string, error) {
	scratch, err := os.MkdirTemp("", "osm-release-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	program := filepath.Join(scratch, p.program())
	err = build.Run(ctx, build.Command{
		Dir: r.root,
		Env: []string{"CGO_ENABLED=0", "GOOS=" + p.os, "GOARCH=" + p.arch},
		Args: []string{
			"go", "build", "-trimpath", "-buildvcs=true", "-ldflags", "-s -w -buildid= -X " + repo.Module + "/internal/platform/version.Version=" + r.version,
			"-o", program, "./cmd/osm",
		},
	})
	if err != nil {
		return "", fmt.Errorf("%s: %w", p, err)
	}
	files := slices.Clone(common)
	for name, path := range map[string]string{p.program(): program, "LICENSE": filepath.Join(r.root, "LICENSE")} {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		files = append(files, file{name: name, content: content, executable: path == program})
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	base := filepath.Join(r.folder, fmt.Sprintf("osm-%s-%s-%s", r.version, p.os, p.arch))
	if p.os == "windows" {
		return base + ".zip", writeArchive(base+".zip", r.commitTime, files, writeZip)
	}
	return base + ".tar.gz", writeArchive(base+".tar.gz", r.commitTime, files, writeTarGz)
}
