package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/openservicemesh/osm-operator/internal/demo"
	"github.com/openservicemesh/osm-operator/internal/demo/mariadb"
)

func main() {
	os.Exit(demo.Main(run))
}

func run(ctx context.Context, _ []string, getenv func(string) string, log *slog.Logger) error {
	settings, err := mariadb.FromEnvironment(getenv)
	if err != nil {
		return err
	}
	log.Info("initializing the database if it does not exist", "folder", settings.Dir)
	if err := mariadb.Initialize(ctx, settings); err != nil {
		return err
	}
	return mariadb.Serve(ctx, settings, os.Stdout, log)
}
