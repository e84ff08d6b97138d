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
	"github.com/openservicemesh/osm-operator/hack/internal/imageload"
)

func loadCommand() *cobra.Command {
	return newCommand("load ARCHIVE...", cobra.MinimumNArgs(1),
		"Load images from OCI archives onto the node, by tag and by digest; images already present are skipped",
		func(cmd *cobra.Command, t *tool, archives []string) error {
			if err := requireLocal(cannotLoad); err != nil {
				return err
			}
			return t.load(cmd, archives)
		})
}

func (t *tool) load(cmd *cobra.Command, archives []string) error {
	held, err := t.reserve(cmd.Context(), commandLine())
	if err != nil {
		return err
	}
	defer held.Release()
	images, inventory, err := t.store(cmd.Context())
	if err != nil {
		return err
	}
	for _, archive := range archives {
		result, err := images.Load(cmd.Context(), inventory, archive)
		if err != nil {
			return err
		}
		for _, image := range result.Images {
			t.reportLoaded(result, image.Tagged+", "+image.Canonical)
		}
	}
	return nil
}

func (t *tool) reportLoaded(result imageload.Result, names string) {
	verb := "loaded"
	if result.Present {
		verb = "already there"
	}
	t.report.Printf("%s: %s", verb, names)
}

// pathCommands returns the commands that print a path.
func pathCommands() []*cobra.Command {
	var commands []*cobra.Command
	for _, c := range []struct {
		use, short string
		path       func(*tool, context.Context) (string, error)
	}{
		{"kubeconfig", "Print the path of the cluster's kubeconfig", (*tool).kubeconfig},
		{"assets", "Build kube-apiserver, etcd and kubectl if needed and print their folder, for KUBEBUILDER_ASSETS", (*tool).kubernetes},
		{"perses-path", "Build Perses if needed and print the folder with its server and plugins", (*tool).perses},
	} {
		commands = append(commands, newCommand(c.use, cobra.NoArgs, c.short, func(cmd *cobra.Command, t *tool, _ []string) error {
			path, err := c.path(t, cmd.Context())
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), path)
			}
			return err
		}))
	}
	return commands
}

func (t *tool) kubernetes(ctx context.Context) (string, error) { return t.builder.KubernetesOnly(ctx) }

func (t *tool) perses(ctx context.Context) (string, error) { return t.builder.Perses(ctx) }

func (t *tool) kubeconfig(context.Context) (string, error) {
	yes, err := usesCurrentCluster()
	if err == nil && yes {
		return currentKubeconfig(), nil
	}
	return t.state.Kubeconfig(), err
}

func envCommand() *cobra.Command {
	return newCommand("env", cobra.NoArgs,
		"Print shell commands that configure kubectl and envtest: eval \"$(go run ./cluster env)\"",
		func(cmd *cobra.Command, t *tool, _ []string) error {
			kubernetes, err := t.builder.KubernetesOnly(cmd.Context())
			if err != nil {
				return err
			}
			file, err := t.kubeconfig(cmd.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "export KUBECONFIG=%s\nexport PATH=%s:\"$PATH\"\nexport KUBEBUILDER_ASSETS=%s\n",
				quote(file), quote(kubernetes), quote(filepath.Clean(kubernetes)))
			return err
		})
}

func checkCommand() *cobra.Command {
	return newCommand("check", cobra.NoArgs,
		"Test the running cluster: DNS, both address families, exec, logs, port-forward, tokens, policies, sidecars",
		func(cmd *cobra.Command, t *tool, _ []string) error { return t.check(cmd) })
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
