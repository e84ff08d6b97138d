// Command releasecli builds the archives of a release of the osm command line: go run ./releasecli [-dirty] [-platforms LIST]
//
// In: a checkout without changes, its file VERSION and its last commit. Out: below bin/release an archive for each platform, tar.gz or
// for Windows zip, with the program and the license, and a file with their SHA-256 sums. Whoever builds the same commit with the same
// Go gets the same bytes: no path and no time of the machine is part of them; files have the time of the commit.
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
	dirty := flag.Bool("dirty", false, "build from a checkout with changes, though nobody can build these archives again")
	list := flag.String("platforms", "", "build for these platforms only, such as linux/arm64, separated by commas")
	flag.Parse()
	if err := run(ctx, *dirty, *list); err != nil {
		fmt.Fprintln(os.Stderr, "releasecli:", err)
		os.Exit(1)
	}
}

// run builds a release.
func run(ctx context.Context, dirty bool, list string) error {
	wanted, err := choose(list)
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

// release is what is built.
type release struct {
	root, folder string
	version      string
	// time is that of the commit, which all files get.
	time time.Time
}

// describe finds out what is to be built.
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
		return r, errors.New("the checkout has changes that are in no commit, so nobody could build this release again: commit them, or use -dirty to try it out")
	}
	seconds, err := git(ctx, root, "log", "-1", "--format=%ct")
	if err != nil {
		return r, err
	}
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return r, fmt.Errorf("the time of the last commit, %q, cannot be read: %w", seconds, err)
	}
	r.time = time.Unix(unix, 0).UTC()
	return r, nil
}

// git asks git about the checkout.
func git(ctx context.Context, root string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s fails: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
