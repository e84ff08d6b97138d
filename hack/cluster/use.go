package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
)

func loadCommand() *cobra.Command {
	return newCommand("load ARCHIVE...", cobra.MinimumNArgs(1),
		"Load images from OCI archives onto the node, by tag and by digest; images already present are skipped",
		func(cmd *cobra.Command, t *tool, archives []string) error {
			if yes, err := usesCurrentCluster(); err != nil {
				return err
			} else if yes {
				return fmt.Errorf("CLUSTER=current: images cannot be loaded onto the nodes of this cluster; push them to a registry that it pulls from")
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
		verb := "loaded"
		if result.Present {
			verb = "already there"
		}
		for _, image := range result.Images {
			t.report.Printf("%s: %s, %s", verb, image.Tagged, image.Canonical)
		}
	}
	return nil
}

func kubeconfigCommand() *cobra.Command {
	return newCommand("kubeconfig", cobra.NoArgs,
		"Print the path of the cluster's kubeconfig",
		func(cmd *cobra.Command, t *tool, _ []string) error {
			file, err := t.kubeconfig()
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), file)
			}
			return err
		})
}

func (t *tool) kubeconfig() (string, error) {
	yes, err := usesCurrentCluster()
	if err == nil && yes {
		return currentKubeconfig(), nil
	}
	return t.state.Kubeconfig(), err
}

func assetsCommand() *cobra.Command {
	return newCommand("assets", cobra.NoArgs,
		"Build kube-apiserver, etcd and kubectl if needed and print their folder, for KUBEBUILDER_ASSETS",
		func(cmd *cobra.Command, t *tool, _ []string) error {
			dir, err := t.builder.KubernetesOnly(cmd.Context())
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), dir)
			}
			return err
		})
}

func envCommand() *cobra.Command {
	return newCommand("env", cobra.NoArgs,
		"Print shell commands that configure kubectl and envtest: eval \"$(go run ./cluster env)\"",
		func(cmd *cobra.Command, t *tool, _ []string) error {
			kubernetes, err := t.builder.KubernetesOnly(cmd.Context())
			if err != nil {
				return err
			}
			file, err := t.kubeconfig()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "export KUBECONFIG=%s\nexport PATH=%s:\"$PATH\"\nexport KUBEBUILDER_ASSETS=%s\n",
				quote(file), quote(kubernetes), quote(filepath.Clean(kubernetes)))
			return err
		})
}
