package main

import (
	"path/filepath"

	"github.com/spf13/cobra"
)

func loadServersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "load-servers NAME...",
		Short: "Build third-party servers if needed and load their images: approver-policy, flux, jaeger, metrics-server, olm, prometheus, prometheus-operator",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			t, err := newTool()
			if err != nil {
				return err
			}
			var archives []string
			for _, name := range names {
				folder, err := t.builder.Server(cmd.Context(), name)
				if err != nil {
					return err
				}
				found, err := filepath.Glob(filepath.Join(folder, "*.tar"))
				if err != nil {
					return err
				}
				archives = append(archives, found...)
			}
			if yes, err := usesCurrentCluster(); err != nil || yes {
				return err
			}
			return t.load(cmd, archives)
		},
	}
}
