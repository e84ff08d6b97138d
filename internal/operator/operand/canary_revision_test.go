package operand

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// canaryParameters are those of a canary in the mesh of testParameters.
func canaryParameters() Parameters {
	p := scaledParameters()
	p.Scheduling.Affinity, p.Scheduling.Spread, p.Revision = nil, nil, "osm-v0-2-0"
	p.CanarySuffix = names.CanarySuffix(p.Mesh, p.Revision)
	return p
}

// renderCanary renders all objects of a canary control plane.
func renderCanary(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	release, p := testRelease(t), canaryParameters()
	objects, err := release.ControlPlane(p)
	if err != nil {
		t.Fatal(err)
	}
	budgets, err := release.DisruptionBudgets(p)
	if err != nil {
		t.Fatal(err)
	}
	scalers, err := release.Autoscalers(p)
	if err != nil {
		t.Fatal(err)
	}
	objects = slices.Concat(objects, budgets, scalers)
	services, err := testRelease(t).CanaryServices(canaryParameters(), false)
	if err != nil {
		t.Fatal(err)
	}
	return append(objects, services...)
}

// typed decodes all objects of a kind, of which there must be some.
func typed[T any](t *testing.T, objects []*unstructured.Unstructured, kind string) []T {
	t.Helper()
	all := ofKind[T](t, objects, kind)
	if len(all) == 0 {
		t.Fatalf("no %s is rendered", kind)
	}
	return all
}

func TestCanarySuffix_IsTheRevisionWithoutTheMesh(t *testing.T) {
	if got := names.CanarySuffix("east", "east-v0-2-0"); got != "v0-2-0" {
		t.Errorf("suffix = %q, want v0-2-0", got)
	}
}

func TestCanary_SharesNoObjectName(t *testing.T) {
	key := func(o *unstructured.Unstructured) string {
		return o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
	}
	own := map[string]bool{}
	for _, object := range renderAll(t, testRelease(t), scaledParameters()) {
		own[key(object)] = true
	}
	for _, object := range renderCanary(t) {
		if own[key(object)] {
			t.Errorf("%s exists in both control planes", key(object))
		}
		own[key(object)] = true
		if !strings.Contains(object.GetName(), "v0-2-0") {
			t.Errorf("the name of %s does not contain its version", key(object))
		}
		if _, ok := object.GetLabels()[names.MeshNameLabel]; ok {
			t.Errorf("%s has the label %s of a mesh", key(object), names.MeshNameLabel)
		}
	}
}

// selectors returns all pod selectors of rendered objects by object.
func selectors(t *testing.T, objects []*unstructured.Unstructured) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	for _, d := range typed[appsv1.Deployment](t, objects, "Deployment") {
		all["Deployment "+d.Name] = d.Spec.Selector.MatchLabels
		all["affinity of "+d.Name] = d.Spec.Template.Spec.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution[0].PodAffinityTerm.LabelSelector.MatchLabels
		all["spread of "+d.Name] = d.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels
	}
	for _, b := range typed[policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget") {
		all["PodDisruptionBudget "+b.Name] = b.Spec.Selector.MatchLabels
	}
	for _, s := range typed[corev1.Service](t, objects, "Service") {
		all["Service "+s.Name] = s.Spec.Selector
	}
	return all
}

// pods returns the pod labels of each Deployment.
func pods(t *testing.T, objects []*unstructured.Unstructured) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	for _, d := range typed[appsv1.Deployment](t, objects, "Deployment") {
		all[d.Name] = d.Spec.Template.Labels
	}
	return all
}

func TestCanary_SharesNoSelector(t *testing.T) {
	own, canary := renderAll(t, testRelease(t), testParameters()), renderCanary(t)
	for _, pair := range []struct{ from, to []*unstructured.Unstructured }{{own, canary}, {canary, own}} {
		for holder, selector := range selectors(t, pair.from) {
			for deployment, podLabels := range pods(t, pair.to) {
				if labels.SelectorFromSet(selector).Matches(labels.Set(podLabels)) {
					t.Errorf("%s selects the pods of %s", holder, deployment)
				}
			}
		}
	}
	for holder, selector := range selectors(t, canary) {
		matched := 0
		for _, podLabels := range pods(t, canary) {
			if labels.SelectorFromSet(selector).Matches(labels.Set(podLabels)) {
				matched++
			}
		}
		if matched != 1 {
			t.Errorf("%s selects the pods of %d Deployments of the canary, want 1", holder, matched)
		}
	}
}

func TestCanary_ReferencesItsOwnObjects(t *testing.T) {
	objects := renderCanary(t)
	exists := map[string]bool{}
	for _, object := range objects {
		exists[object.GetKind()+" "+object.GetName()] = true
	}
	need := func(holder, kind, name string) {
		t.Helper()
		if !exists[kind+" "+name] {
			t.Errorf("%s refers to the %s %s, which is not rendered with it", holder, kind, name)
		}
	}
	for _, b := range typed[rbacv1.ClusterRoleBinding](t, objects, "ClusterRoleBinding") {
		need(b.Name, b.RoleRef.Kind, b.RoleRef.Name)
		need(b.Name, b.Subjects[0].Kind, b.Subjects[0].Name)
	}
	for _, b := range typed[rbacv1.RoleBinding](t, objects, "RoleBinding") {
		need(b.Name, b.RoleRef.Kind, b.RoleRef.Name)
		need(b.Name, b.Subjects[0].Kind, b.Subjects[0].Name)
	}
	for _, d := range typed[appsv1.Deployment](t, objects, "Deployment") {
		need(d.Name, "ServiceAccount", d.Spec.Template.Spec.ServiceAccountName)
	}
	for _, a := range typed[autoscalingv2.HorizontalPodAutoscaler](t, objects, "HorizontalPodAutoscaler") {
		need(a.Name, a.Spec.ScaleTargetRef.Kind, a.Spec.ScaleTargetRef.Name)
	}
}

func TestCanary_FlagsAndSecrets(t *testing.T) {
	type workload struct{ XDSHost, WriteStatus, Revision, Secret string }
	read := func(objects []*unstructured.Unstructured) map[string]workload {
		all := map[string]workload{}
		for _, d := range typed[appsv1.Deployment](t, objects, "Deployment") {
			given := map[string]string{}
			for _, argument := range d.Spec.Template.Spec.Containers[0].Args {
				_, value, _ := strings.Cut(argument, "=")
				given[flagName(argument)] = value
			}
			volumes := d.Spec.Template.Spec.Volumes
			all[d.Name] = workload{given[xdsHostFlag], given[writeStatusFlag], given["revision"], volumes[len(volumes)-1].Secret.SecretName}
		}
		return all
	}
	got := read(append(renderCanary(t), renderAll(t, testRelease(t), testParameters())...))
	want := map[string]workload{
		"osm-controller":        {"", "true", "osm-v0-1-0", "osm-validator-webhook-cert"},
		"osm-controller-v0-2-0": {"", "false", "osm-v0-2-0", "osm-validator-webhook-cert"},
		"osm-injector":          {"osm-controller.osm-system.svc.cluster.local", "", "osm-v0-1-0", "osm-injector-webhook-cert"},
		"osm-injector-v0-2-0":   {"osm-controller-v0-2-0.osm-system.svc.cluster.local", "", "osm-v0-2-0", "osm-injector-webhook-cert-canary"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flags and Secrets of the Deployments (-want +got):\n%s", diff)
	}
}

// An alias connects sidecars of a removed canary to the active control plane.
func TestCanaryAlias_SelectsTheActiveControlPlane(t *testing.T) {
	release := testRelease(t)
	objects, err := release.CanaryServices(canaryParameters(), true)
	if err != nil {
		t.Fatal(err)
	}
	services := typed[corev1.Service](t, objects, "Service")
	if len(services) != 1 || services[0].Name != "osm-controller-v0-2-0" {
		t.Fatalf("the alias is rendered as %v", services)
	}
	var own corev1.Service
	for _, service := range typed[corev1.Service](t, renderAll(t, release, testParameters()), "Service") {
		if service.Name == names.Controller {
			own = service
		}
	}
	if diff := cmp.Diff(own.Spec, services[0].Spec); diff != "" {
		t.Errorf("the alias differs from the Service of the mesh (-own +alias):\n%s", diff)
	}
}

func TestCanaryWebhook_EachNamespaceMatchesOneWebhook(t *testing.T) {
	p := testParameters()
	p.Canary = &CanaryWebhook{Suffix: "v0-2-0", Namespaces: []string{"shop", "bank", "shop"}, Bundle: []byte("canary bundle")}
	objects, err := testRelease(t).Webhooks(p, []byte("injector bundle"), []byte("validator bundle"))
	if err != nil {
		t.Fatal(err)
	}
	configuration := typed[admissionv1.MutatingWebhookConfiguration](t, objects, "MutatingWebhookConfiguration")[0]
	webhooks := map[string][]string{}
	for _, webhook := range configuration.Webhooks {
		selector, err := metav1.LabelSelectorAsSelector(webhook.NamespaceSelector)
		if err != nil {
			t.Fatal(err)
		}
		for _, namespace := range []string{"shop", "bank", "club", p.Namespace, p.OperatorNamespace} {
			if selector.Matches(labels.Set{names.MonitoredByLabel: p.Mesh, corev1.LabelMetadataName: namespace}) {
				webhooks[namespace] = append(webhooks[namespace], webhook.Name+" "+webhook.ClientConfig.Service.Name+" "+string(webhook.ClientConfig.CABundle))
			}
		}
	}
	canary := names.CanaryWebhook + " osm-injector-v0-2-0 canary bundle"
	want := map[string][]string{"shop": {canary}, "bank": {canary}, "club": {names.InjectorWebhook + " osm-injector injector bundle"}}
	if diff := cmp.Diff(want, webhooks); diff != "" {
		t.Errorf("webhooks of each namespace (-want +got):\n%s", diff)
	}
}

func TestCanaryWebhook_RequiresNamespaces(t *testing.T) {
	p := testParameters()
	p.Canary = &CanaryWebhook{Suffix: "v0-2-0", Bundle: []byte("bundle")}
	if _, err := testRelease(t).Webhooks(p, []byte("a"), []byte("b")); err == nil || !strings.Contains(err.Error(), "at least one namespace") {
		t.Errorf("error = %v, want one about namespaces", err)
	}
}
