package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/internal/operator/dashboards"
)

func (a *app) dashboardExportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export FOLDER",
		Short: "Write the dashboards into files, for Grafana",
		Long: `Write the dashboards of this version as JSON files into a folder, which is created if it does not exist. Import them into Grafana.
No cluster is needed.`,
		Example: `  osm dashboard export dashboards`,
		Args:    exactly(1, "FOLDER"),
	}
	cmd.RunE = a.run(func(_ context.Context, args []string) error { return a.exportDashboards(args[0]) })
	return cmd
}

func (a *app) exportDashboards(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("the folder cannot be created: %w", err)
	}
	for _, d := range dashboards.All() {
		text, err := dashboards.Grafana(d)
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
