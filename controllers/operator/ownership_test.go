package operator_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// allComponents enables the components whose kinds the API server serves. Those of traffic metrics are missing: their APIService has no server here,
// and would end the discovery of kinds for all tests.
func allComponents(spec *v1alpha1.MeshSpec) {
	spec.Observability = &v1alpha1.ObservabilitySpec{
		Prometheus: &v1alpha1.PrometheusComponent{Mode: ptr.To(v1alpha1.PrometheusManaged)},
		Grafana:    &v1alpha1.GrafanaComponent{Mode: ptr.To(v1alpha1.GrafanaManaged)},
		Jaeger:     &v1alpha1.JaegerComponent{Mode: ptr.To(v1alpha1.JaegerManaged)},
	}
	spec.EgressGateway = &v1alpha1.EgressGatewaySpec{Mode: ptr.To(v1alpha1.EgressGatewayManaged)}
}

// fullMesh creates a mesh with all components, the certificate of an ingress gateway, and a namespace with a sidecar.
func fullMesh(t *testing.T, name string) (*v1alpha1.Mesh, *corev1.Pod) {
	t.Helper()
	mesh := readyMesh(t, name, allComponents)
	shop := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name + "-shop"}}
	create(t, shop)
	// The pod is created before the namespace has its label, because no injector runs in this cluster.
	pod := podWithSidecar(t, shop.Name, name+"-v0-1-0")
	change(t, shop, func(n *corev1.Namespace) { n.Labels[names.MonitoredByLabel] = name })
	declareGateway(t, name, gatewayOf(name, names.NginxCertSecret, "ingress.edge.cluster.local"))
	waitGateway(t, mesh, metav1.ConditionTrue)
	eventually(t, func() error {
		get(t, mesh)
		for _, component := range []string{"prometheus", "grafana", "jaeger", "egress-gateway"} {
			if !slices.ContainsFunc(mesh.Status.Components, func(c v1alpha1.ComponentStatus) bool { return c.Name == component && len(c.Objects) > 0 }) {
				return fmt.Errorf("the component %s has no objects: %+v", component, mesh.Status.Components)
			}
		}
		return nil
	})
	trust := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Name, Name: names.TrustConfigMap(name)}}
	waitFor(t, trust, func(*corev1.ConfigMap) error { return nil })
	return mesh, pod
}

// ofMesh lists the objects of all kinds that were made for a mesh.
func ofMesh(ctx context.Context, mesh string) ([]metav1.PartialObjectMetadata, error) {
	kinds, err := discovery.NewDiscoveryClientForConfig(cluster.rest)
	if err != nil {
		return nil, err
	}
	served, err := kinds.ServerPreferredResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, err
	}
	var all []metav1.PartialObjectMetadata
	for _, group := range served {
		version, err := schema.ParseGroupVersion(group.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, resource := range group.APIResources {
			if !slices.Contains(resource.Verbs, "list") {
				continue
			}
			list := &metav1.PartialObjectMetadataList{}
			list.SetGroupVersionKind(version.WithKind(resource.Kind + "List"))
			if err := cluster.client.List(ctx, list, client.MatchingLabels{names.MeshLabel: mesh}); err != nil {
				return nil, err
			}
			for _, item := range list.Items {
				item.SetGroupVersionKind(version.WithKind(resource.Kind))
				all = append(all, item)
			}
		}
	}
	return all, nil
}

// describe is the kind and the name of an object.
func describe(o *metav1.PartialObjectMetadata) string {
	return fmt.Sprintf("%s %s/%s", o.Kind, o.Namespace, o.Name)
}

// owned lists the objects of a mesh that a Mesh or a MeshRevision owns, and how many objects there are.
func owned(ctx context.Context, mesh string) (found []string, count int, err error) {
	all, err := ofMesh(ctx, mesh)
	for i := range all {
		for _, owner := range all[i].OwnerReferences {
			if strings.HasPrefix(owner.APIVersion, v1alpha1.GroupVersion.Group) {
				found = append(found, describe(&all[i])+" has the owner "+owner.Kind)
			}
		}
		if all[i].Labels[names.InstanceLabel] != "" && len(all[i].OwnerReferences) == 0 {
			found = append(found, describe(&all[i])+" has the label "+names.InstanceLabel)
		}
	}
	return found, len(all), err
}

// waitUnowned waits until no Mesh and no MeshRevision owns objects of a mesh.
func waitUnowned(t *testing.T, mesh string) {
	t.Helper()
	eventually(t, func() error {
		found, _, err := owned(t.Context(), mesh)
		if err == nil && len(found) > 0 {
			err = fmt.Errorf("%s", strings.Join(found, "\n"))
		}
		return err
	})
}

// own makes a mesh the owner of all its objects, as earlier operators did. It returns how many there are.
func own(t *testing.T, mesh *v1alpha1.Mesh) int {
	t.Helper()
	all, err := ofMesh(t.Context(), mesh.Name)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for i := range all {
		object := &all[i]
		if object.Kind == "Pod" || object.Kind == "Namespace" || strings.HasSuffix(object.Kind, "WebhookConfiguration") {
			continue
		}
		before := object.DeepCopy()
		object.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "Mesh", Name: mesh.Name, UID: mesh.UID, Controller: ptr.To(true),
		}}
		object.Labels[names.InstanceLabel] = mesh.Name
		if err := cluster.client.Patch(t.Context(), object, client.MergeFrom(before), client.FieldOwner("osm-operator")); err != nil {
			t.Fatalf("%s: %v", describe(object), err)
		}
		count++
	}
	return count
}

func TestNoObjectHasTheMeshAsItsOwner(t *testing.T) {
	t.Parallel()
	const name = "ownerless"
	fullMesh(t, name)
	found, count, err := owned(t.Context(), name)
	if err != nil || count < 40 {
		t.Fatalf("%d objects of the mesh: %v", count, err)
	}
	for _, problem := range found {
		t.Error(problem)
	}
}

// Earlier operators wrote owners. They are removed when the operator starts, also from a paused mesh, and when the Mesh is deleted.
func TestOwnersOfEarlierOperatorsAreRemoved(t *testing.T) {
	const name = "earlierowner"
	mesh, pod := fullMesh(t, name)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Paused = ptr.To(true) })
	waitCondition(t, mesh, v1alpha1.ConditionPaused, metav1.ConditionTrue, v1alpha1.ReasonPaused)
	if count := own(t, mesh); count < 40 {
		t.Fatalf("the mesh owns only %d objects", count)
	}
	cluster.restart(t)
	waitUnowned(t, name)

	own(t, mesh)
	remove(t, mesh)
	waitUnowned(t, name)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Paused = nil })
	waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForSidecars)
	remove(t, pod, client.GracePeriodSeconds(0))
	waitGone(t, mesh)
}
