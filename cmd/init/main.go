package main

import (
	"fmt"
	"os"

	"github.com/openservicemesh/osm-operator/internal/injector/drain"
	"github.com/openservicemesh/osm-operator/internal/injector/inject"
	"github.com/openservicemesh/osm-operator/internal/injector/podinit"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "osm-init:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 1 && args[0] == inject.DrainCommand {
		return drain.OnSignal(os.Getenv)
	}
	if err := podinit.CopyLauncher("/"+names.LauncherFile, names.LauncherDir); err != nil {
		return err
	}
	return podinit.Prepare(args, os.Getenv, bootstrap.DefaultDirs(), podinit.ResolverFile)
}
