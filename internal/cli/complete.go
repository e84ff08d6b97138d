package cli

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/sidecartable"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// completeNamespaces completes the namespaces of the cluster.
func (a *app) completeNamespaces(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return completed(a.listNames(cmd.Context(), &corev1.NamespaceList{}), prefix)
}

// completeContexts completes the contexts of the kubeconfig.
func (a *app) completeContexts(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return completed(a.kube.Contexts(), prefix)
}

// completeMeshes completes the meshes of the cluster.
func (a *app) completeMeshes(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return completed(a.listNames(cmd.Context(), &v1alpha1.MeshList{}), prefix)
}

// completePods completes pods with a sidecar, and of gateways, in the current namespace.
func (a *app) completePods(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	here := client.InNamespace(a.kube.OnlyNamespace())
	all := a.listNames(cmd.Context(), &corev1.PodList{}, here, client.HasLabels{names.ProxyUUIDLabel})
	gateways := &corev1.PodList{}
	_ = a.listNames(cmd.Context(), gateways, here, client.HasLabels{names.AppLabel})
	for i := range gateways.Items {
		if pod := &gateways.Items[i]; isGateway(pod) {
			all = append(all, pod.Name)
		}
	}
	return completed(lists.Map(all, path.Base), prefix)
}

// completed returns the words that complete a prefix. Files do not complete it.
func completed(all []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return withPrefix(all, prefix), cobra.ShellCompDirectiveNoFileComp
}

func withPrefix(all []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !strings.HasPrefix(name, prefix) })
}

// completeMeshedPods completes pods with a sidecar, as NAMESPACE/NAME.
func (a *app) completeMeshedPods(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return completed(a.listNames(cmd.Context(), &corev1.PodList{}, client.HasLabels{names.ProxyUUIDLabel}), prefix)
}

// completeParties completes Deployments, StatefulSets and Services, as NAMESPACE/NAME, and accounts of peers that TrafficTargets admit. Pods and other kinds
// are left out for brevity.
func (a *app) completeParties(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 1 {
		return completed([]string{"to"}, prefix)
	}
	if len(args) > 2 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	parties := []client.ObjectList{&appsv1.DeploymentList{}, &appsv1.StatefulSetList{}, &corev1.ServiceList{}}
	all := lists.FlatMap(parties, func(list client.ObjectList) []string { return a.listNames(cmd.Context(), list) })
	if len(args) == 0 {
		all = append(all, a.listPeerAccounts(cmd.Context())...)
	}
	return completed(lists.Unique(all), prefix)
}

// listPeerAccounts returns the accounts of peers that are sources of TrafficTargets, as PEER/NAMESPACE/sa/NAME. Completion ignores errors.
func (a *app) listPeerAccounts(ctx context.Context) []string {
	c, err := a.kube.Client()
	if err != nil {
		return nil
	}
	targets := &unstructured.UnstructuredList{}
	targets.SetGroupVersionKind(kinds.TrafficTarget)
	if err := c.List(ctx, targets); err != nil {
		return nil
	}
	var all []string
	for i := range targets.Items {
		if target, _ := ingest.TrafficTarget(&targets.Items[i]); target != nil {
			all = append(all, lists.Map(target.PeerSources, func(s identity.PeerAccount) string { return s.Peer + "/" + s.Namespace + "/sa/" + s.Name })...)
		}
	}
	return all
}

// completePolicies completes KIND/ first and then the policies of that kind in the current namespace.
func (a *app) completePolicies(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	typed, _, named := strings.Cut(prefix, "/")
	if !named {
		kinds := append([]string{"deployment", "mesh"}, policyKinds()...)
		return withPrefix(lists.Map(kinds, func(kind string) string { return kind + "/" }), prefix), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	namespace, err := a.kube.Namespace()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []string
	for _, source := range kinds.Policies() {
		if string(source.Kind) != policyKind(typed) {
			continue
		}
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(source.Object.GetObjectKind().GroupVersionKind())
		for _, name := range a.listNames(cmd.Context(), list, client.InNamespace(namespace)) {
			all = append(all, typed+"/"+strings.TrimPrefix(name, namespace+"/"))
		}
	}
	return completed(all, prefix)
}

// adminQueries are the common pages of Envoy's admin interface.
var adminQueries = []string{
	"certs", "clusters", "config_dump", "help", "init_dump", "listeners", "logging", "memory", "ready", "runtime",
	"server_info", "stats", "stats/prometheus",
}

// completeAdmin completes a page of Envoy's admin interface and then a pod.
func (a *app) completeAdmin(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return completed(append(slices.Clone(adminQueries), sidecartable.Names()...), prefix)
	case 1:
		return a.completePods(cmd, args, prefix)
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// listNames returns the listed objects as NAMESPACE/NAME, or NAME without a namespace. Completion ignores errors.
func (a *app) listNames(ctx context.Context, list client.ObjectList, options ...client.ListOption) []string {
	c, err := a.kube.Client()
	if err != nil {
		return nil
	}
	if err := c.List(ctx, list, options...); err != nil {
		return nil
	}
	var all []string
	_ = meta.EachListItem(list, func(item runtime.Object) error {
		if object, err := meta.Accessor(item); err == nil {
			all = append(all, strings.TrimPrefix(object.GetNamespace()+"/"+object.GetName(), "/"))
		}
		return nil
	})
	return all
}

// kubectlCompletion is the script that kubectl runs to complete the arguments of a plugin.
const kubectlCompletion = `#!/bin/sh
# kubectl runs this script, kubectl_complete-osm, to complete the arguments of "kubectl osm".
exec kubectl osm __complete "$@"`

// addCompletion adds the kubectl completion to cobra's completion commands. It must run after all other commands are added.
func (a *app) addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.AddCommand(a.kubectlPluginCommand())
			cmd.Args = onlySubcommands
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
}

func (a *app) kubectlPluginCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl-plugin",
		Short: "Generate the completion script for \"kubectl osm\"",
		Long: `Generate the script that kubectl runs to complete "kubectl osm". Save it as kubectl_complete-osm in a directory of your PATH, next to
the plugin kubectl-osm. Completion for kubectl itself must be set up.`,
		Example: `  ln -s "$(command -v osm)" ~/bin/kubectl-osm
  osm completion kubectl-plugin > ~/bin/kubectl_complete-osm
  chmod +x ~/bin/kubectl_complete-osm`,
		RunE: a.run(func(context.Context, []string) error {
			a.line("%s", kubectlCompletion)
			return nil
		}),
	}
}
