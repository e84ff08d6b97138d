package checks

import (
	"context"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// conflictingMeshes finds a running OSM without a Mesh object, and other meshes with the same name or namespace.
func (s Subject) conflictingMeshes(ctx context.Context) []diagnosis.Finding {
	running, err := takeover.List(ctx, s.Client)
	if err != nil {
		return []diagnosis.Finding{diagnosis.Unread("Deployments", err)}
	}
	var results []diagnosis.Finding
	for _, r := range running {
		if r.Name == names.Controller {
			results = append(results, diagnosis.Fail(fmt.Sprintf("remove it first with %s, or choose another name and namespace for the new mesh; see docs/migration.md", r.Remedy()),
				"namespace %s runs the control plane of mesh %s, which has no Mesh object", r.Namespace, r.Mesh))
		}
	}
	var controllers appsv1.DeploymentList
	if err := s.Client.List(ctx, &controllers, client.MatchingLabels{names.AppLabel: names.Controller}, client.HasLabels{names.MeshLabel}); err != nil {
		return append(results, diagnosis.Unread("Deployments", err))
	}
	for i := range controllers.Items {
		d := &controllers.Items[i]
		if d.Namespace == s.Namespace || d.Labels[names.MeshNameLabel] == s.Mesh {
			results = append(results, diagnosis.Warn("choose another --mesh-name and --osm-namespace for a second mesh, or change the existing Mesh",
				"mesh %s already runs in namespace %s", d.Labels[names.MeshNameLabel], d.Namespace))
		}
	}
	results = append(results, s.conflictingWebhook(ctx)...)
	if len(results) == 0 {
		results = append(results, diagnosis.Pass("no other mesh %s and no control plane in namespace %s", s.Mesh, s.Namespace))
	}
	return results
}

// conflictingWebhook finds a webhook of the same mesh name that another injector serves.
func (s Subject) conflictingWebhook(ctx context.Context) []diagnosis.Finding {
	webhook := &admissionv1.MutatingWebhookConfiguration{}
	err := s.Client.Get(ctx, client.ObjectKey{Name: names.MutatingWebhook(s.Mesh)}, webhook)
	if apierrors.IsNotFound(err) || webhook.Labels[names.MeshLabel] != "" {
		return nil
	}
	if err != nil {
		return []diagnosis.Finding{diagnosis.Unread("webhooks", err)}
	}
	answered, err := takeover.IsServed(ctx, s.Client, webhook, "")
	if err != nil {
		return []diagnosis.Finding{diagnosis.Unread("Services of webhooks", err)}
	}
	if !answered {
		return nil
	}
	return []diagnosis.Finding{diagnosis.Fail("remove the mesh that owns it, or choose another --mesh-name",
		"webhook %s exists and is served by another injector", webhook.Name)}
}

// existingResources finds resources of a removed OSM and reports how the new mesh treats them.
func (s Subject) existingResources(ctx context.Context) []diagnosis.Finding {
	var results []diagnosis.Finding
	config := &configv1alpha2.MeshConfig{}
	err := s.Client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: names.MeshConfig}, config)
	if err == nil && config.Labels[names.MeshLabel] == "" {
		results = append(results, diagnosis.Pass("the MeshConfig in namespace %s will be kept: permissive mode %t, egress %t", s.Namespace,
			config.Spec.Traffic.EnablePermissiveTrafficPolicyMode, config.Spec.Traffic.EnableEgress))
	}
	secret := &corev1.Secret{}
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: names.CABundleSecret}, secret); err == nil &&
		secret.Labels[names.MeshLabel] == "" {
		results = append(results, diagnosis.Pass("the certificate authority in Secret %s/%s will be reused", s.Namespace, secret.Name))
	}
	dead, err := takeover.DeadWebhooks(ctx, s.Client, s.Mesh)
	if err != nil {
		results = append(results, diagnosis.Unread("webhooks", err))
	}
	for _, object := range dead {
		results = append(results, diagnosis.Warn("install the mesh, which replaces it", "webhook configuration %s of a removed OSM has no server: in namespaces of the mesh, pods do not start or policies are rejected", object.GetName()))
	}
	results = slices.Concat(results, s.widenedRules(ctx, config), s.osmSidecarPods(ctx), s.crossNamespaceSources(ctx), s.withoutEffect(ctx))
	if len(results) == 0 {
		results = append(results, diagnosis.Pass("no resources of an earlier OSM found"))
	}
	return results
}

// widenedRules finds rules that granted nothing in OSM and grant everything in this mesh.
func (s Subject) widenedRules(ctx context.Context, config *configv1alpha2.MeshConfig) []diagnosis.Finding {
	if config.Name == "" || config.Labels[names.MeshLabel] != "" || config.Spec.Traffic.RulesWithoutMatches != "" {
		return nil
	}
	found, problems := s.find(ctx, kinds.TrafficTarget, "TrafficTargets", func(target *unstructured.Unstructured) bool {
		rules, _, _ := unstructured.NestedSlice(target.Object, "spec", "rules")
		return slices.ContainsFunc(rules, withoutMatches)
	})
	if len(found) == 0 {
		return problems
	}
	return []diagnosis.Finding{diagnosis.Warn("set spec.traffic.rulesWithoutMatches: None in the Mesh to keep OSM's behavior, or list the matches",
		"these TrafficTargets refer to an HTTPRouteGroup without matches, which granted nothing in OSM and grants all matches in this mesh: %s", firstThree(found))}
}

// find returns the names of the objects of a kind that fulfill a condition; none if the API server does not serve the kind. what describes them
// in the problem that they cannot be read.
func (s Subject) find(ctx context.Context, kind schema.GroupVersionKind, what string, condition func(*unstructured.Unstructured) bool) (found []string,
	problems []diagnosis.Finding,
) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	err := s.Client.List(ctx, list)
	if err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
		return nil, []diagnosis.Finding{diagnosis.Unread(what, err)}
	}
	for i := range list.Items {
		if condition(&list.Items[i]) {
			found = append(found, list.Items[i].GetNamespace()+"/"+list.Items[i].GetName())
		}
	}
	return found, nil
}

// withoutMatches returns true if a rule refers to an HTTPRouteGroup without matches.
func withoutMatches(rule any) bool {
	content, _ := rule.(map[string]any)
	matches, _ := content["matches"].([]any)
	return content["kind"] == "HTTPRouteGroup" && len(matches) == 0
}

// osmSidecarPods counts pods with a sidecar that OSM injected.
func (s Subject) osmSidecarPods(ctx context.Context) []diagnosis.Finding {
	pods, err := s.OSMSidecars(ctx)
	if err != nil {
		return []diagnosis.Finding{diagnosis.Unread("pods with OSM sidecars", err)}
	}
	count := len(pods)
	if count == 0 {
		return nil
	}
	example := pods[count-1].Namespace + "/" + pods[count-1].Name
	return []diagnosis.Finding{diagnosis.Warn("the operator restarts their workloads in waves; skipped workloads are listed in the status of the Mesh",
		"%s with an OSM sidecar that gets no configuration updates, such as %s", output.Count(count, "pod"), example)}
}

// OSMSidecars returns the pods of the mesh with a sidecar that OSM injected.
func (s Subject) OSMSidecars(ctx context.Context) ([]corev1.Pod, error) {
	var members corev1.NamespaceList
	if err := s.Client.List(ctx, &members, client.MatchingLabels{names.MonitoredByLabel: s.Mesh}); err != nil {
		return nil, fmt.Errorf("list the namespaces of the mesh: %w", err)
	}
	var all []corev1.Pod
	for i := range members.Items {
		var pods corev1.PodList
		if err := s.Client.List(ctx, &pods, client.InNamespace(members.Items[i].Name), client.HasLabels{names.ProxyUUIDLabel}); err != nil {
			return nil, fmt.Errorf("list the pods of namespace %s: %w", members.Items[i].Name, err)
		}
		all = append(all, slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return !ingest.Pod(&pod).OSMSidecar })...)
	}
	return all, nil
}

// multiClusterService is an OSM kind that the control plane does not support. Peers replace it.
var multiClusterService = schema.GroupVersionKind{Group: "config.openservicemesh.io", Version: "v1alpha1", Kind: "MultiClusterService"}

// withoutEffect counts policies of unsupported kinds.
func (s Subject) withoutEffect(ctx context.Context) []diagnosis.Finding {
	kind := multiClusterService
	found, problems := s.find(ctx, kind, "objects of kind "+kind.Kind, func(*unstructured.Unstructured) bool { return true })
	if len(found) == 0 {
		return problems
	}
	return []diagnosis.Finding{diagnosis.Warn("print their ServiceImports with `osm translate --to peers` once the mesh runs, or delete them", "%s of kind %s, which has no effect in this mesh, such as %s",
		output.Count(len(found), "object"), kind.Kind, found[0])}
}

// clientPolicies returns the kinds that concern clients, sorted. OSM accepts sources of any namespace.
func clientPolicies() []kinds.Kind {
	policies := slices.DeleteFunc(kinds.All(), func(k kinds.Kind) bool { return k.Clients == nil })
	slices.SortFunc(policies, func(a, b kinds.Kind) int { return strings.Compare(a.Kind, b.Kind) })
	return policies
}

// crossNamespaceSources finds policies for clients of another namespace, which are in effect in OSM and not in this mesh.
func (s Subject) crossNamespaceSources(ctx context.Context) []diagnosis.Finding {
	var results []diagnosis.Finding
	for _, policy := range clientPolicies() {
		found, problems := s.find(ctx, policy.GroupVersionKind, "objects of kind "+policy.Kind, func(object *unstructured.Unstructured) bool {
			return hasCrossNamespaceSource(object, policy.Clients)
		})
		results = append(results, problems...)
		if len(found) > 0 {
			results = append(results, diagnosis.Warn(fmt.Sprintf("create each %s in the namespace of its sources", policy.Kind),
				"sources of another namespace have no effect in this mesh, and these objects of kind %s have some: %s", policy.Kind, firstThree(found)))
		}
	}
	return results
}

// hasCrossNamespaceSource returns true if a source of the policy is in another namespace. path leads to one source or to a list.
func hasCrossNamespaceSource(policy *unstructured.Unstructured, path []string) bool {
	value, _, _ := unstructured.NestedFieldNoCopy(policy.Object, path...)
	sources, isList := value.([]any)
	if !isList {
		sources = []any{value}
	}
	return slices.ContainsFunc(sources, func(source any) bool {
		content, _ := source.(map[string]any)
		namespace, found := content["namespace"].(string)
		return found && namespace != policy.GetNamespace()
	})
}

// Takeover checks whether a Mesh can take over from the Open Service Mesh in the namespace of the subject, and what differs afterwards.
func (s Subject) Takeover(ctx context.Context) []diagnosis.Finding {
	config := &configv1alpha2.MeshConfig{}
	results := []diagnosis.Finding{s.kubernetes(), s.nodes(ctx)}
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: names.MeshConfig}, config); err != nil {
		results = append(results, diagnosis.Unread("the MeshConfig", err))
	}
	return slices.Concat(results, s.podSecurity(ctx), s.widenedRules(ctx, config), s.crossNamespaceSources(ctx), s.withoutEffect(ctx))
}
