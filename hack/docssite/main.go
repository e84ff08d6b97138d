package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
	"github.com/openservicemesh/osm-operator/hack/internal/progress"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := flag.String("out", "", "folder of the site (default bin/site of the checkout)")
	flag.Parse()
	if err := run(ctx, *out); err != nil {
		fmt.Fprintln(os.Stderr, "docssite:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out string) error {
	root, err := repo.Root(".")
	if err != nil {
		return err
	}
	cache, err := paths.FindCache(os.Getenv)
	if err != nil {
		return err
	}
	report := progress.New(os.Stderr, time.Now)
	packages, err := ensurePackages(ctx, build.Cache{Dir: filepath.Join(cache, "docssite")}, root, report)
	if err != nil {
		return err
	}
	out, err = filepath.Abs(cmp.Or(out, filepath.Join(root, "bin", "site")))
	if err != nil {
		return err
	}
	if err := buildSite(ctx, packages, root, out); err != nil {
		return err
	}
	fmt.Println(out)
	return nil
}
