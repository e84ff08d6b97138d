// Command demo-mysql is the entrypoint of the demo's MySQL image: it initialises the database once and runs the server.
// Flows in: MYSQL_DATABASE, MYSQL_USER, MYSQL_PASSWORD. Flows out: a server on port 3306; see package mariadb.
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
	log.Info("initialising the database, if there is none", "folder", settings.Dir)
	if err := mariadb.Initialise(ctx, settings); err != nil {
		return err
	}
	return mariadb.Serve(ctx, settings, os.Stdout, log)
}
