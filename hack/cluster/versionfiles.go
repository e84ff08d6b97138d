package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/hack/internal/recorded"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func versionFilesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version-files VERSION FOLDER",
		Short: "Write the released files of a recorded version, which install it: install.yaml, chart and bundle",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := newTool()
			if err != nil {
				return err
			}
			root, err := repo.Root(".")
			if err != nil {
				return err
			}
			folder, err := filepath.Abs(args[1])
			if err != nil {
				return err
			}
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return err
			}
			return recorded.Builder{Root: root, Cache: t.builder.Cache.Dir, Report: t.report}.WriteFiles(cmd.Context(), args[0], folder)
		},
	}
}
