package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/hack/internal/acceptance"
	"github.com/openservicemesh/osm-operator/hack/internal/assets"
)

func checkCommand() *cobra.Command {
	return newCommand("check", cobra.NoArgs,
		"Test the running cluster: DNS, both address families, exec, logs, port-forward, tokens, policies, sidecars",
		func(cmd *cobra.Command, t *tool, _ []string) error {
			return t.check(cmd)
		})
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

// checkCurrentCluster checks that the kubeconfig's current cluster responds, and reports its context.
func (t *tool) checkCurrentCluster(ctx context.Context) error {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		dir, err := t.builder.KubernetesOnly(ctx)
		if err != nil {
			return err
		}
		kubectl = filepath.Join(dir, "kubectl")
	}
	name, err := exec.CommandContext(ctx, kubectl, "config", "current-context").CombinedOutput()
	if err != nil {
		return fmt.Errorf("CLUSTER=current, but the kubeconfig has no current context: %s", strings.TrimSpace(string(name)))
	}
	context := strings.TrimSpace(string(name))
	if out, err := exec.CommandContext(ctx, kubectl, "get", "--raw", "/readyz", "--request-timeout=10s").CombinedOutput(); err != nil {
		return fmt.Errorf("the current cluster %s does not respond: %s", context, strings.TrimSpace(string(out)))
	}
	t.report.Printf("CLUSTER=current: using the cluster of context %s, which responds; nothing is started, stopped or loaded", context)
	return nil
}

// currentKubeconfig returns the first file that kubectl would load.
func currentKubeconfig() string {
	if list := filepath.SplitList(os.Getenv("KUBECONFIG")); len(list) > 0 {
		return list[0]
	}
	homeFolder, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(homeFolder, ".kube", "config")
}
