package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func persesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "perses-path",
		Short: "Build Perses if needed and print the folder with its server and plugins",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := newTool()
			if err != nil {
				return err
			}
			folder, err := t.builder.Perses(cmd.Context())
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), folder)
			}
			return err
		},
	}
}
