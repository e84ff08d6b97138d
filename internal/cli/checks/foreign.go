package checks

import (
	"context"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/controllers/operator/adopt"
	"github.com/openservicemesh/osm-operator/internal/ingest"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// foreign finds an OSM that another installer made and that runs, and a mesh of the same name.
func (s Subject) foreign(ctx context.Context) []Result {
	running, err := adopt.List(ctx, s.Client)
	if err != nil {
		return []Result{unread("the Deployments", err)}
	}
	var results []Result
	for _, r := range running {
		if r.Name == names.Controller {
			results = append(results, failed(fmt.Sprintf("remove it first, with %s, or give the new mesh another name and namespace; the steps are in docs/migration.md", r.Remedy()),
				"namespace %s has a control plane of mesh %s that no Mesh declares", r.Namespace, r.Mesh))
		}
	}
	var controllers appsv1.DeploymentList
	if err := s.Client.List(ctx, &controllers, client.MatchingLabels{names.AppLabel: names.Controller}, client.HasLabels{names.MeshLabel}); err != nil {
		return append(results, unread("the Deployments", err))
	}
	for i := range controllers.Items {
		d := &controllers.Items[i]
		if d.Namespace == s.Namespace || d.Labels[names.MeshNameLabel] == s.Mesh {
			results = append(results, warning("choose another --mesh-name and --osm-namespace for a second mesh, or change the Mesh that exists",
				"the mesh %s already runs in namespace %s", d.Labels[names.MeshNameLabel], d.Namespace))
		}
	}
	results = append(results, s.foreignWebhook(ctx)...)
	if len(results) == 0 {
		results = append(results, ok("no other mesh %s, and no control plane in namespace %s", s.Mesh, s.Namespace))
	}
	return results
}

// foreignWebhook finds a webhook of the mesh's name that another injector answers.
func (s Subject) foreignWebhook(ctx context.Context) []Result {
	webhook := &admissionv1.MutatingWebhookConfiguration{}
	err := s.Client.Get(ctx, client.ObjectKey{Name: names.MutatingWebhook(s.Mesh)}, webhook)
	if apierrors.IsNotFound(err) || webhook.Labels[names.MeshLabel] != "" {
		return nil
	}
	if err != nil {
		return []Result{unread("the webhooks", err)}
	}
	answered, err := adopt.Answered(ctx, s.Client, webhook, "")
	if err != nil {
		return []Result{unread("the Services of webhooks", err)}
	}
	if !answered {
		return nil
	}
	return []Result{failed("remove the mesh that it belongs to, or choose another --mesh-name", "the webhook %s exists, and another injector answers it", webhook.Name)}
}

// leavings says what a removed OSM has left, and what becomes of it.
func (s Subject) leavings(ctx context.Context) []Result {
	var results []Result
	config := &configv1alpha2.MeshConfig{}
	err := s.Client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: names.MeshConfig}, config)
	if err == nil && config.Labels[names.MeshLabel] == "" {
		results = append(results, ok("the MeshConfig in namespace %s stays as it is: permissive mode %t, egress %t", s.Namespace,
			config.Spec.Traffic.EnablePermissiveTrafficPolicyMode, config.Spec.Traffic.EnableEgress))
	}
	secret := &corev1.Secret{}
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: names.CABundleSecret}, secret); err == nil && secret.Labels[names.MeshLabel] == "" {
		results = append(results, ok("the certificate authority in Secret %s/%s is used as it is", s.Namespace, secret.Name))
	}
	dead, err := adopt.DeadWebhooks(ctx, s.Client, s.Mesh)
	if err != nil {
		results = append(results, unread("the webhooks", err))
	}
	for _, object := range dead {
		results = append(results, warning("install the mesh: it takes its place", "a removed OSM left the webhook configuration %s behind, and nothing answers it: in the namespaces of the mesh no pod starts, or no policy is accepted", object.GetName()))
	}
	results = append(results, s.wider(ctx, config)...)
	results = append(results, s.earlierSidecars(ctx)...)
	results = append(results, s.withoutEffect(ctx)...)
	if len(results) == 0 {
		results = append(results, ok("nothing is left of an OSM that was here before"))
	}
	return results
}

// wider finds rules that allowed nothing under OSM and allow everything here.
func (s Subject) wider(ctx context.Context, config *configv1alpha2.MeshConfig) []Result {
	if config.Name == "" || config.Labels[names.MeshLabel] != "" || config.Spec.Traffic.RulesWithoutMatches != "" {
		return nil
	}
	targets := &unstructured.UnstructuredList{}
	targets.SetGroupVersionKind(schema.GroupVersionKind{Group: "access.smi-spec.io", Version: "v1alpha3", Kind: "TrafficTarget"})
	err := s.Client.List(ctx, targets)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return []Result{unread("the TrafficTargets", err)}
	}
	var found []string
	for i := range targets.Items {
		rules, _, _ := unstructured.NestedSlice(targets.Items[i].Object, "spec", "rules")
		if slices.ContainsFunc(rules, withoutMatches) {
			found = append(found, targets.Items[i].GetNamespace()+"/"+targets.Items[i].GetName())
		}
	}
	if len(found) == 0 {
		return nil
	}
	return []Result{warning("write spec.traffic.rulesWithoutMatches: None into the Mesh to keep OSM's reading, or name the matches",
		"these TrafficTargets refer to an HTTPRouteGroup without naming its matches, which allowed nothing under OSM and allows all of them here: %s", some(found))}
}

// withoutMatches says whether a rule refers to an HTTPRouteGroup and names none of its matches.
func withoutMatches(rule any) bool {
	content, _ := rule.(map[string]any)
	matches, _ := content["matches"].([]any)
	return content["kind"] == "HTTPRouteGroup" && len(matches) == 0
}

// earlierSidecars counts the pods whose sidecars OSM has made.
func (s Subject) earlierSidecars(ctx context.Context) []Result {
	var members corev1.NamespaceList
	if err := s.Client.List(ctx, &members, client.MatchingLabels{names.MonitoredByLabel: s.Mesh}); err != nil {
		return []Result{unread("the namespaces", err)}
	}
	count, example := 0, ""
	for i := range members.Items {
		var pods corev1.PodList
		if err := s.Client.List(ctx, &pods, client.InNamespace(members.Items[i].Name), client.HasLabels{names.ProxyUUIDLabel}); err != nil {
			return []Result{unread("the pods", err)}
		}
		for j := range pods.Items {
			if ingest.Pod(&pods.Items[j]).Earlier {
				count, example = count+1, pods.Items[j].Namespace+"/"+pods.Items[j].Name
			}
		}
	}
	if count == 0 {
		return nil
	}
	return []Result{warning("the operator restarts their workloads in waves; those it may not restart are listed in the status of the Mesh",
		"%s with a sidecar of OSM, such as %s, which go by what OSM told it last", counted(count, "pod"), example)}
}

// kindsWithoutEffect are OSM's kinds that no control plane here reads yet.
var kindsWithoutEffect = []schema.GroupVersionKind{
	{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: "Egress"},
	{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: "IngressBackend"},
	{Group: "config.openservicemesh.io", Version: "v1alpha2", Kind: "MeshRootCertificate"},
}

// withoutEffect counts the policies that stay and do nothing.
func (s Subject) withoutEffect(ctx context.Context) []Result {
	var results []Result
	for _, kind := range kindsWithoutEffect {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		err := s.Client.List(ctx, list)
		switch {
		case meta.IsNoMatchError(err) || apierrors.IsNotFound(err):
		case err != nil:
			results = append(results, unread("the objects of kind "+kind.Kind, err))
		case len(list.Items) > 0:
			results = append(results, warning("see docs/migration.md for what to do without it", "%s of the kind %s, which has no effect yet, such as %s/%s",
				counted(len(list.Items), "object"), kind.Kind, list.Items[0].GetNamespace(), list.Items[0].GetName()))
		}
	}
	return results
}
