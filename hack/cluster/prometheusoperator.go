package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
	"github.com/openservicemesh/osm-operator/hack/internal/node"
	"github.com/openservicemesh/osm-operator/hack/internal/prometheusoperator"
)

func prometheusOperatorCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "prometheus-operator", Short: "Install a prometheus-operator in the cluster, to test the objects for it"}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "up",
			Short: "Install the prometheus-operator and wait until it runs; its images must be loaded",
			Args:  cobra.NoArgs,
			RunE: localOnly(func(ctx context.Context, t *tool, _ *node.Node) error {
				k, definitions, err := t.prometheusOperator(ctx)
				if err != nil {
					return err
				}
				return t.report.Run(ctx, "installing the prometheus-operator", func(ctx context.Context) error {
					return prometheusoperator.Install(ctx, k, definitions)
				})
			}),
		},
		&cobra.Command{
			Use:   "down",
			Short: "Remove the prometheus-operator with its kinds and all their objects",
			Args:  cobra.NoArgs,
			RunE: localOnly(func(ctx context.Context, t *tool, _ *node.Node) error {
				k, definitions, err := t.prometheusOperator(ctx)
				if err != nil {
					return err
				}
				return prometheusoperator.Remove(ctx, k, definitions)
			}),
		},
	)
	return cmd
}

// prometheusOperator returns kubectl, and the folder with the definitions of the operator's kinds.
func (t *tool) prometheusOperator(ctx context.Context) (kubectl.Client, string, error) {
	folder, err := t.builder.Server(ctx, "prometheus-operator")
	if err != nil {
		return kubectl.Client{}, "", err
	}
	k, err := t.kubectl(ctx)
	return k, filepath.Join(folder, assets.ServerDefinitions), err
}
