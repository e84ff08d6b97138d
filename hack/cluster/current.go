package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// checkCurrent makes sure that the kubeconfig's current cluster answers, and says which one that is.
func (t *tool) checkCurrent(ctx context.Context) error {
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
		return fmt.Errorf("CLUSTER=current, but the kubeconfig names no current cluster: %s", strings.TrimSpace(string(name)))
	}
	context := strings.TrimSpace(string(name))
	if out, err := exec.CommandContext(ctx, kubectl, "get", "--raw", "/readyz", "--request-timeout=10s").CombinedOutput(); err != nil {
		return fmt.Errorf("the current cluster %s does not answer: %s", context, strings.TrimSpace(string(out)))
	}
	t.report.Say("CLUSTER=current: using the cluster of the context %s, which answers; nothing is started, stopped or loaded", context)
	return nil
}

// currentKubeconfig is the file that kubectl would use first.
func currentKubeconfig() string {
	if list := filepath.SplitList(os.Getenv("KUBECONFIG")); len(list) > 0 {
		return list[0]
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".kube", "config")
}
