package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

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
