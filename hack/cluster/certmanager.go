package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/certmanager"
	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
	"github.com/openservicemesh/osm-operator/hack/internal/node"
)

func certManagerCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "cert-manager", Short: "Install cert-manager in the cluster, to try and test it as a certificate provider"}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "build",
			Short: "Build cert-manager if needed",
			Args:  cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				t, err := newTool()
				if err == nil {
					_, err = t.builder.CertManager(cmd.Context())
				}
				return err
			},
		},
		&cobra.Command{
			Use:   "up",
			Short: "Install cert-manager and wait until it admits objects",
			Args:  cobra.NoArgs,
			RunE: localOnly(func(ctx context.Context, t *tool, n *node.Node) error {
				folder, k, err := t.certManager(ctx)
				if err != nil {
					return err
				}
				set, err := t.builder.All(ctx)
				if err != nil {
					return err
				}
				if _, err := n.Images(set).Load(ctx, nil, filepath.Join(folder, assets.CertManagerArchive)); err != nil {
					return err
				}
				return t.report.Run(ctx, "installing cert-manager", func(ctx context.Context) error {
					return certmanager.Install(ctx, k, filepath.Join(folder, assets.CertManagerDefinitions))
				})
			}),
		},
		&cobra.Command{
			Use:   "down",
			Short: "Remove cert-manager with all its objects",
			Args:  cobra.NoArgs,
			RunE: localOnly(func(ctx context.Context, t *tool, _ *node.Node) error {
				folder, k, err := t.certManager(ctx)
				if err != nil {
					return err
				}
				return certmanager.Remove(ctx, k, filepath.Join(folder, assets.CertManagerDefinitions))
			}),
		},
	)
	return cmd
}

// certManager returns the folder of cert-manager, and kubectl.
func (t *tool) certManager(ctx context.Context) (string, kubectl.Client, error) {
	folder, err := t.builder.CertManager(ctx)
	if err != nil {
		return "", kubectl.Client{}, err
	}
	k, err := t.kubectl(ctx)
	return folder, k, err
}
