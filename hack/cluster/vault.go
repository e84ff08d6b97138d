package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
	"github.com/openservicemesh/osm-operator/hack/internal/node"
	"github.com/openservicemesh/osm-operator/hack/internal/vault"
)

func vaultCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "vault", Short: "Install a Vault without content in the cluster, to test it as a certificate provider"}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "build",
			Short: "Build Vault if needed",
			Args:  cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				t, err := newTool()
				if err == nil {
					_, err = t.builder.Vault(cmd.Context())
				}
				return err
			},
		},
		&cobra.Command{Use: "up", Short: "Install Vault and wait until it answers", Args: cobra.NoArgs, RunE: localOnly(vaultUp)},
		&cobra.Command{
			Use:   "down",
			Short: "Remove Vault with its content",
			Args:  cobra.NoArgs,
			RunE: localOnly(func(ctx context.Context, t *tool, _ *node.Node) error {
				k, err := t.kubectl(ctx)
				if err != nil {
					return err
				}
				return vault.Remove(ctx, k)
			}),
		},
	)
	return cmd
}

func vaultUp(ctx context.Context, t *tool, n *node.Node) error {
	folder, err := t.builder.Vault(ctx)
	if err != nil {
		return err
	}
	k, err := t.kubectl(ctx)
	if err != nil {
		return err
	}
	set, err := t.builder.All(ctx)
	if err != nil {
		return err
	}
	if _, err := n.Images(set).Load(ctx, nil, filepath.Join(folder, assets.VaultArchive)); err != nil {
		return err
	}
	return t.report.Run(ctx, "installing Vault", func(ctx context.Context) error { return vault.Install(ctx, k) })
}

// kubectl returns kubectl for the cluster.
func (t *tool) kubectl(ctx context.Context) (kubectl.Client, error) {
	programs, err := t.builder.KubernetesOnly(ctx)
	return kubectl.Client{Path: filepath.Join(programs, "kubectl"), Kubeconfig: t.state.Kubeconfig()}, err
}
