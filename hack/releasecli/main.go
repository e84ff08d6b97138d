package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dirty := flag.Bool("dirty", false, "build from a checkout with uncommitted changes; the archives are not reproducible")
	list := flag.String("platforms", "", "comma-separated platforms to build for, such as linux/arm64")
	flag.Parse()
	if err := run(ctx, *dirty, *list); err != nil {
		fmt.Fprintln(os.Stderr, "releasecli:", err)
		os.Exit(1)
	}
}

// run builds a release.
func run(ctx context.Context, dirty bool, list string) error {
	wanted, err := selectPlatforms(list)
	if err != nil {
		return err
	}
	root, err := repo.Root(".")
	if err != nil {
		return err
	}
	r, err := describe(ctx, root, dirty)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(r.folder, 0o755); err != nil {
		return err
	}
	var archives []string
	for _, p := range wanted {
		began := time.Now()
		archive, err := r.build(ctx, p)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s (%s)\n", archive, time.Since(began).Round(100*time.Millisecond))
		archives = append(archives, archive)
	}
	sums, err := r.writeSums(archives)
	if err == nil {
		fmt.Println(sums)
	}
	return err
}

// release describes the release to build.
type release struct {
	root, folder string
	version      string
	// commitTime is the commit time, which all files get.
	commitTime time.Time
}

// describe returns the release of the checkout.
func describe(ctx context.Context, root string, dirty bool) (release, error) {
	r := release{root: root, folder: filepath.Join(root, "bin", "release")}
	text, err := os.ReadFile(filepath.Join(root, "VERSION"))
	if err != nil {
		return r, err
	}
	r.version = strings.TrimSpace(string(text))
	changed, err := git(ctx, root, "status", "--porcelain")
	if err != nil {
		return r, err
	}
	if changed != "" && !dirty {
		return r, errors.New("the checkout has uncommitted changes, so this release could not be reproduced: commit them, or use -dirty for a test build")
	}
	seconds, err := git(ctx, root, "log", "-1", "--format=%ct")
	if err != nil {
		return r, err
	}
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return r, fmt.Errorf("cannot parse the time %q of the last commit: %w", seconds, err)
	}
	r.commitTime = time.Unix(unix, 0).UTC()
	return r, nil
}

// git runs a git command in the checkout.
func git(ctx context.Context, root string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s failed: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
