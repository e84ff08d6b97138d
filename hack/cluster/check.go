package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/hack/internal/acceptance"
	"github.com/openservicemesh/osm-operator/hack/internal/assets"
)

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Test the running cluster: DNS, both address families, exec, logs, port-forward, tokens, policies, sidecars",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := newTool()
			if err != nil {
				return err
			}
			return t.check(cmd)
		},
	}
}

func (t *tool) check(cmd *cobra.Command) error {
	n, err := t.node()
	if err != nil {
		return err
	}
	if err := n.CheckHealth(cmd.Context()); err != nil {
		return fmt.Errorf("there is no healthy cluster to check: %w", err)
	}
	set, err := t.builder.All(cmd.Context())
	if err != nil {
		return err
	}
	// The inventory is nil because importing this small image again is cheap.
	loaded, err := n.Images(set).Load(cmd.Context(), nil, filepath.Join(set.NodeImages, assets.ProbeArchive))
	if err != nil {
		return err
	}
	return acceptance.Cluster{
		Kubectl:    filepath.Join(set.Kubernetes, "kubectl"),
		Kubeconfig: t.state.Kubeconfig(),
		Namespace:  fmt.Sprintf("acceptance-%d", os.Getpid()),
		ByTag:      loaded.Images[0].Tagged,
		ByDigest:   loaded.Images[0].Canonical,
	}.Run(cmd.Context(), t.report)
}
