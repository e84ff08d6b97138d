package cli

import (
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// completeNamespaces completes the namespaces of the cluster.
func (a *app) completeNamespaces(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	c, err := a.kube.Client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var namespaces corev1.NamespaceList
	if err := c.List(cmd.Context(), &namespaces); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []string
	for i := range namespaces.Items {
		all = append(all, namespaces.Items[i].Name)
	}
	return withPrefix(all, prefix), cobra.ShellCompDirectiveNoFileComp
}

// completeMeshes completes the meshes of the cluster.
func (a *app) completeMeshes(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	c, err := a.kube.Client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var meshes v1alpha1.MeshList
	if err := c.List(cmd.Context(), &meshes); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []string
	for i := range meshes.Items {
		all = append(all, meshes.Items[i].Name)
	}
	return withPrefix(all, prefix), cobra.ShellCompDirectiveNoFileComp
}

// completePods completes pods with a sidecar in the current namespace.
func (a *app) completePods(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	c, err := a.kube.Client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var pods corev1.PodList
	if err := c.List(cmd.Context(), &pods, client.InNamespace(a.kube.OnlyNamespace()), client.HasLabels{names.ProxyUUIDLabel}); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []string
	for i := range pods.Items {
		all = append(all, pods.Items[i].Name)
	}
	return withPrefix(all, prefix), cobra.ShellCompDirectiveNoFileComp
}

func withPrefix(all []string, prefix string) []string {
	var found []string
	for _, name := range all {
		if strings.HasPrefix(name, prefix) {
			found = append(found, name)
		}
	}
	return found
}
