package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/internal/operator/dashboards"
)

// The formats of exported dashboards.
const (
	formatGrafana = "grafana"
	formatPerses  = "perses"
)

func (a *app) dashboardExportCommand() *cobra.Command {
	var format, project string
	cmd := &cobra.Command{
		Use:   "export FOLDER",
		Short: "Write the dashboards into files, for Grafana or Perses",
		Long: `Write the dashboards of this version as JSON files into a folder, which is created if it does not exist. Import them into Grafana, or into a
project of Perses with "percli apply -d FOLDER". No cluster is needed.`,
		Example: `  osm dashboard export dashboards
  osm dashboard export dashboards --format perses --project osm`,
		Args: exactly(1, "FOLDER"),
	}
	cmd.RunE = a.run(func(_ context.Context, args []string) error {
		render := dashboards.Grafana
		switch format {
		case formatGrafana:
		case formatPerses:
			render = func(d dashboards.Dashboard) ([]byte, error) { return dashboards.Perses(d, project) }
		default:
			return fmt.Errorf("invalid --format %q: must be one of %s, %s", format, formatGrafana, formatPerses)
		}
		return a.exportDashboards(args[0], render)
	})
	cmd.Flags().StringVar(&format, "format", formatGrafana, "grafana or perses")
	cmd.Flags().StringVar(&project, "project", "osm", "project of Perses")
	return cmd
}

func (a *app) exportDashboards(folder string, render func(dashboards.Dashboard) ([]byte, error)) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("the folder cannot be created: %w", err)
	}
	for _, d := range dashboards.All() {
		text, err := render(d)
		if err != nil {
			return err
		}
		path := filepath.Join(folder, d.File+".json")
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return fmt.Errorf("a dashboard cannot be written: %w", err)
		}
		a.line("%s", path)
	}
	return nil
}
