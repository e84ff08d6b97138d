package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// completeMeshedPods offers the pods with a sidecar as NAMESPACE/NAME.
func (a *app) completeMeshedPods(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	return startingWith(a.listed(cmd.Context(), &corev1.PodList{}, client.HasLabels{names.ProxyUUIDLabel}), begun), cobra.ShellCompDirectiveNoFileComp
}

// completeParties offers Deployments, StatefulSets and Services as NAMESPACE/NAME: what people ask about most.
func (a *app) completeParties(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 1 {
		return startingWith([]string{"to"}, begun), cobra.ShellCompDirectiveNoFileComp
	}
	if len(args) > 2 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []string
	for _, list := range []client.ObjectList{&appsv1.DeploymentList{}, &appsv1.StatefulSetList{}, &corev1.ServiceList{}} {
		all = append(all, a.listed(cmd.Context(), list)...)
	}
	slices.Sort(all)
	return startingWith(slices.Compact(all), begun), cobra.ShellCompDirectiveNoFileComp
}

// completePolicies offers KIND/ first, and then the names of that kind in the namespace in use.
func (a *app) completePolicies(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	typed, _, named := strings.Cut(begun, "/")
	if !named {
		var kinds []string
		for _, kind := range policyKinds() {
			kinds = append(kinds, kind+"/")
		}
		return startingWith(kinds, begun), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	namespace, err := a.kube.Namespace()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []string
	for _, source := range traffic.Sources() {
		if string(source.Kind) != policyKind(typed) {
			continue
		}
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(source.Object.GetObjectKind().GroupVersionKind())
		for _, name := range a.listed(cmd.Context(), list, client.InNamespace(namespace)) {
			all = append(all, typed+"/"+strings.TrimPrefix(name, namespace+"/"))
		}
	}
	return startingWith(all, begun), cobra.ShellCompDirectiveNoFileComp
}

// adminQueries are the pages of Envoy's administration interface that people ask for.
var adminQueries = []string{"certs", "clusters", "config_dump", "help", "init_dump", "listeners", "logging", "memory", "ready", "runtime", "server_info", "stats", "stats/prometheus"}

// completeAdmin offers pages of Envoy's administration interface, and then pods.
func (a *app) completeAdmin(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return startingWith(adminQueries, begun), cobra.ShellCompDirectiveNoFileComp
	case 1:
		return a.completePods(cmd, args, begun)
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// listed are objects as NAMESPACE/NAME. Whatever keeps them from being listed, there is nothing to offer then.
func (a *app) listed(ctx context.Context, list client.ObjectList, options ...client.ListOption) []string {
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
			all = append(all, object.GetNamespace()+"/"+object.GetName())
		}
		return nil
	})
	return all
}
