package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/hack/internal/approverpolicy"
	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
	"github.com/openservicemesh/osm-operator/hack/internal/node"
)

func approverPolicyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "approver-policy", Short: "Let policies of cert-manager's approver-policy decide about CertificateRequests"}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "up",
			Short: "Install approver-policy instead of the approver of cert-manager, which must be installed",
			Args:  cobra.NoArgs,
			RunE: localOnly(func(ctx context.Context, t *tool, n *node.Node) error {
				folder, k, err := t.approverPolicy(ctx)
				if err != nil {
					return err
				}
				set, err := t.builder.All(ctx)
				if err != nil {
					return err
				}
				if _, err := n.Images(set).Load(ctx, nil, filepath.Join(folder, "approver-policy.tar")); err != nil {
					return err
				}
				return t.report.Run(ctx, "installing approver-policy", func(ctx context.Context) error {
					return approverpolicy.Install(ctx, k, filepath.Join(folder, assets.ServerDefinitions))
				})
			}),
		},
		&cobra.Command{
			Use:   "down",
			Short: "Remove approver-policy with its policies, and let the approver of cert-manager decide again",
			Args:  cobra.NoArgs,
			RunE: localOnly(func(ctx context.Context, t *tool, _ *node.Node) error {
				folder, k, err := t.approverPolicy(ctx)
				if err != nil {
					return err
				}
				return approverpolicy.Remove(ctx, k, filepath.Join(folder, assets.ServerDefinitions))
			}),
		},
	)
	return cmd
}

// approverPolicy returns the folder of approver-policy, and kubectl.
func (t *tool) approverPolicy(ctx context.Context) (string, kubectl.Client, error) {
	folder, err := t.builder.Server(ctx, "approver-policy")
	if err != nil {
		return "", kubectl.Client{}, err
	}
	k, err := t.kubectl(ctx)
	return folder, k, err
}
