package journeys

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func TestInvalidPoliciesAreRejectedWithReason(t *testing.T) {
	t.Parallel()
	ns := meshNamespace(t, "bad")
	for _, c := range []struct {
		name, manifest string
		parts          []string
	}{
		{
			"TrafficTarget outside the namespace of its destination",
			grant{namespace: ns, name: "x", destination: "server", destinationNamespace: "default", source: ns + "/a", rules: []string{"any"}}.String(),
			[]string{`"default"`, ns, "only the namespace of the destination"},
		},
		{"broken regular expression", routeGroup(ns, "x", "good=/good", "broken=/books("), []string{"pathRegex", "broken", "missing closing )"}},
		{"weights that are all 0", split(ns, "x", "shop", "v1=0", "v2=0"), []string{"total weight is 0", "above 0"}},
		{"invalid port", tcpRoute(ns, "x", 70000), []string{"70000", "65535"}},
	} {
		t.Run(c.name, func(t *testing.T) { requireRejection(t, cluster.Put(t.Context(), c.manifest), c.parts...) })
	}
	t.Run("invalid duration in the MeshConfig", func(t *testing.T) {
		err := cluster.Patch(t.Context(), meshConfig(), `{"spec":{"certificate":{"serviceCertValidityDuration":"1 day"}}}`)
		requireRejection(t, err, "serviceCertValidityDuration", `1 day`, "is not a duration", "for example 24h")
	})
}

func TestMissingRouteIsReportedAndOtherRulesApply(t *testing.T) {
	t.Parallel()
	ns := meshNamespace(t, "missing")
	applyPolicies(t, routeGroup(ns, "there", "all=/there"),
		grant{namespace: ns, name: "half", destination: "server", source: ns + "/client", rules: []string{"there", "not-there"}}.String())
	workloads := createWorkloads(t, ns, "server", "client")
	workloads["client"].expect(t, workloads["server"].url("/there"), "200")
	target := policyObject("access.smi-spec.io/v1alpha3", "TrafficTarget", ns, "half")
	awaitCondition(t, target, "ResolvedRefs", "False", "HTTPRouteGroup "+ns+"/not-there does not exist")
	awaitCondition(t, target, "Accepted", "True", "")
	awaitWarning(t, target, "not-there does not exist")
	applyPolicies(t, routeGroup(ns, "not-there", "all=/later"))
	workloads["client"].expect(t, workloads["server"].url("/later"), "200")
	awaitCondition(t, target, "ResolvedRefs", "True", "")
}

func TestStoredInvalidPoliciesAreReportedAndOthersApply(t *testing.T) {
	t.Parallel()
	ns := createNamespace(t, "stored", outsideMesh)
	applyPolicies(t, routeGroup(ns, "mixed", "good=/good", "broken=/books("),
		grant{namespace: ns, name: "elsewhere", destination: "server", destinationNamespace: "default", source: ns + "/client", rules: []string{"mixed"}}.String(),
		grant{namespace: ns, name: "good", destination: "server", source: ns + "/client", rules: []string{"mixed"}}.String())
	joinMesh(t, ns, names.DefaultMesh)
	group := policyObject("specs.smi-spec.io/v1alpha4", "HTTPRouteGroup", ns, "mixed")
	elsewhere := policyObject("access.smi-spec.io/v1alpha3", "TrafficTarget", ns, "elsewhere")
	awaitCondition(t, group, "Accepted", "False", "missing closing )")
	awaitWarning(t, group, "missing closing )")
	awaitCondition(t, elsewhere, "Accepted", "False", "create it in the namespace of its destination")
	awaitWarning(t, elsewhere, "create it in the namespace of its destination")
	workloads := createWorkloads(t, ns, "server", "client")
	workloads["client"].expect(t, workloads["server"].url("/good"), "200")
	workloads["client"].expect(t, workloads["server"].url("/books("), "404")
}

func TestInvalidMeshIsStalledAndHarmless(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, spec, reason, message string }{
		{"unknown version", "{namespace: NAME, version: v9.9.9}", v1alpha1.ReasonUnknownVersion, "v9.9.9"},
		{"namespace of another Mesh", "{}", v1alpha1.ReasonNamespaceClaimed, names.DefaultNamespace + " belongs to the Mesh " + names.DefaultMesh},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := uniqueName("rival")
			manifest := meshManifest(name, strings.ReplaceAll(c.spec, "NAME", name))
			applyPolicies(t, manifest)
			t.Cleanup(func() { _ = cluster.Remove(context.Background(), manifest) })
			lab.Eventually(t, 20*time.Second, "the Mesh is Stalled with the reason", func(ctx context.Context) (bool, string, error) {
				var mesh v1alpha1.Mesh
				if err := cluster.Client.Get(ctx, client.ObjectKey{Name: name}, &mesh); err != nil {
					return false, "", err
				}
				stalled := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionStalled)
				ready := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionReady)
				if stalled == nil || ready == nil {
					return false, lab.Conditions(mesh.Status.Conditions), nil
				}
				return stalled.Status == "True" && ready.Status == "False" && ready.Reason == c.reason && strings.Contains(ready.Message, c.message),
					fmt.Sprintf("Ready=%s %s: %s", ready.Status, ready.Reason, ready.Message), nil
			})
			deletePolicies(t, manifest)
			awaitMeshGone(t, name, 30*time.Second)
		})
	}
	lab.Must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, 10*time.Second))
}

// meshManifest returns the manifest of a Mesh.
func meshManifest(name, spec string) string {
	return fmt.Sprintf("apiVersion: operator.openservicemesh.io/v1alpha1\nkind: Mesh\nmetadata: {name: %s}\nspec: %s\n---\n", name, spec)
}

// joinMesh adds a namespace to a mesh.
func joinMesh(t *testing.T, namespace, mesh string) {
	t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"labels":{%q:%q},"annotations":{%q:"enabled"}}}`, names.MonitoredByLabel, mesh, names.InjectionAnnotation)
	lab.Must(t, cluster.Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, patch))
}

// policyObject returns a reference to an object of a kind without Go types.
func policyObject(version, kind, namespace, name string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(schema.FromAPIVersionAndKind(version, kind))
	object.SetNamespace(namespace)
	object.SetName(name)
	return object
}

// awaitCondition waits until an object has a condition whose message contains a part.
func awaitCondition(t *testing.T, object *unstructured.Unstructured, kind, status, part string) {
	t.Helper()
	lab.Eventually(t, 15*time.Second, fmt.Sprintf("%s %s is %s=%s %q", object.GetKind(), object.GetName(), kind, status, part), func(ctx context.Context) (bool, string, error) {
		if err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return false, "", err
		}
		var typed struct {
			Status struct {
				Conditions []metav1.Condition `json:"conditions"`
			} `json:"status"`
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed); err != nil {
			return false, "", err
		}
		found := meta.FindStatusCondition(typed.Status.Conditions, kind)
		return found != nil && string(found.Status) == status && strings.Contains(found.Message, part), lab.Conditions(typed.Status.Conditions), nil
	})
}

// awaitWarning waits for a warning Event about an object.
func awaitWarning(t *testing.T, object *unstructured.Unstructured, part string) {
	t.Helper()
	lab.Eventually(t, 15*time.Second, fmt.Sprintf("a warning about %s %s that contains %q", object.GetKind(), object.GetName(), part), func(ctx context.Context) (bool, string, error) {
		var events corev1.EventList
		if err := cluster.Client.List(ctx, &events, client.InNamespace(object.GetNamespace())); err != nil {
			return false, "", err
		}
		for _, event := range events.Items {
			if event.InvolvedObject.Name == object.GetName() && event.InvolvedObject.Kind == object.GetKind() &&
				event.Type == corev1.EventTypeWarning && strings.Contains(event.Message, part) {
				return true, "", nil
			}
		}
		return false, fmt.Sprintf("%d other events", len(events.Items)), nil
	})
}

// awaitMeshGone waits until a Mesh is gone.
func awaitMeshGone(t *testing.T, name string, limit time.Duration) {
	t.Helper()
	lab.Eventually(t, limit, "Mesh "+name+" is gone", func(ctx context.Context) (bool, string, error) {
		var mesh v1alpha1.Mesh
		err := cluster.Client.Get(ctx, client.ObjectKey{Name: name}, &mesh)
		if client.IgnoreNotFound(err) == nil && err != nil {
			return true, "", nil
		}
		return false, lab.Conditions(mesh.Status.Conditions), err
	})
}
