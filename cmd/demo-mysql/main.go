// Command demo-mysql is the entrypoint of the demo's MySQL image. It initializes the database of MYSQL_DATABASE, MYSQL_USER
// and MYSQL_PASSWORD once, and runs the server on port 3306. Package mariadb describes the details.
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
