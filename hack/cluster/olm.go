package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
	"github.com/openservicemesh/osm-operator/hack/internal/node"
	"github.com/openservicemesh/osm-operator/hack/internal/olm"
)

func olmCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "olm", Short: "Install the Operator Lifecycle Manager in the cluster, to test the bundle"}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "up",
			Short: "Install the Operator Lifecycle Manager and wait until it runs; its images must be loaded",
			Args:  cobra.NoArgs,
			RunE: localOnly(func(ctx context.Context, t *tool, _ *node.Node) error {
				k, definitions, err := t.olm(ctx)
				if err != nil {
					return err
				}
				return t.report.Run(ctx, "installing the Operator Lifecycle Manager", func(ctx context.Context) error {
					return olm.Install(ctx, k, definitions)
				})
			}),
		},
		&cobra.Command{
			Use:   "down",
			Short: "Remove the Operator Lifecycle Manager with its kinds and all their objects",
			Args:  cobra.NoArgs,
			RunE: localOnly(func(ctx context.Context, t *tool, _ *node.Node) error {
				k, definitions, err := t.olm(ctx)
				if err != nil {
					return err
				}
				return olm.Remove(ctx, k, definitions)
			}),
		},
	)
	return cmd
}

// olm returns kubectl, and the folder with the definitions of the Operator Lifecycle Manager.
func (t *tool) olm(ctx context.Context) (kubectl.Client, string, error) {
	folder, err := t.builder.Server(ctx, "olm")
	if err != nil {
		return kubectl.Client{}, "", err
	}
	k, err := t.kubectl(ctx)
	return k, filepath.Join(folder, assets.ServerDefinitions), err
}
