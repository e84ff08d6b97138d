package components

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

// spread is a component with a ConfigMap in each of its namespaces.
type spread struct {
	*server
	namespaces []string
}

func (s *spread) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	all, err := s.server.Render(inputs)
	for _, namespace := range s.namespaces {
		var more []*unstructured.Unstructured
		more, err = component.Labelled(inputs, &corev1.ConfigMap{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "first-access"},
		})
		all = append(all, more...)
	}
	return all, err
}

// configMaps lists the namespaces with a ConfigMap of the component.
func (b *bench) configMaps() []string {
	b.Helper()
	var list corev1.ConfigMapList
	if err := b.Client.List(b.Context(), &list); err != nil {
		b.Fatal(err)
	}
	var namespaces []string
	for i := range list.Items {
		if list.Items[i].Name == "first-access" {
			namespaces = append(namespaces, list.Items[i].Namespace)
		}
	}
	return namespaces
}

// The status of a Mesh must not grow with its namespaces: etcd rejects objects above 1.5 MB, and every watcher receives it.
func TestInventoryDoesNotGrowWithNamespaces(t *testing.T) {
	b := newBench(t)
	c := &spread{server: b.first}
	for i := range 300 {
		c.namespaces = append(c.namespaces, fmt.Sprintf("team-%03d", i))
	}
	b.Components = []component.Component{c}
	unmanaged := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "elsewhere", Name: "first-access"}}
	if err := b.Client.Create(t.Context(), unmanaged); err != nil {
		t.Fatal(err)
	}
	b.pass()
	want := []v1alpha1.ObjectReference{
		{APIVersion: "v1", Kind: "ConfigMap", Namespace: "osm-system", Name: "first"},
		{APIVersion: "v1", Kind: "Service", Namespace: "osm-system", Name: "first"},
		{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "osm-system", Name: "first"},
		{APIVersion: "v1", Kind: "ConfigMap", Namespace: v1alpha1.EveryNamespace, Name: "first-access"},
	}
	if diff := cmp.Diff(want, b.mesh.Status.Components[0].Objects); diff != "" {
		t.Errorf("the inventory (-want +got):\n%s", diff)
	}

	// One namespace leaves.
	c.namespaces = c.namespaces[1:]
	b.pass()
	b.pass()
	if got := b.configMaps(); len(got) != len(c.namespaces)+1 || got[0] != "elsewhere" || got[1] != "team-001" {
		t.Errorf("ConfigMaps in %d namespaces, first %v", len(got), got[:2])
	}
	if diff := cmp.Diff(want, b.mesh.Status.Components[0].Objects); diff != "" {
		t.Errorf("the inventory after a namespace has left (-want +got):\n%s", diff)
	}

	// The component is disabled.
	b.Components = nil
	for range 3 {
		b.pass()
	}
	if got := b.configMaps(); len(got) != 1 || len(b.mesh.Status.Components) > 0 {
		t.Errorf("a disabled component leaves ConfigMaps in %v, and the inventory %+v", got, b.mesh.Status.Components)
	}
}

// An earlier operator recorded each object.
func TestInventoryOfEarlierOperatorsIsKept(t *testing.T) {
	b := newBench(t)
	c := &spread{server: b.first, namespaces: []string{"a", "b"}}
	b.Components = []component.Component{c}
	b.pass()
	objects := b.mesh.Status.Components[0].Objects
	for _, namespace := range c.namespaces {
		objects = append(objects, v1alpha1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: "first-access"})
	}
	b.mesh.Status.Components[0].Objects = objects
	c.namespaces = c.namespaces[1:]
	b.pass()
	b.pass()
	if diff := cmp.Diff([]string{"b"}, b.configMaps()); diff != "" {
		t.Errorf("ConfigMaps (-want +got):\n%s", diff)
	}
	if got := b.mesh.Status.Components[0].Objects; len(got) != 4 {
		t.Errorf("the inventory is %+v, want one reference for all namespaces", got)
	}
}

// A mesh that is removed waits until the objects in all its namespaces are gone.
func TestRemovalDeletesObjectsInAllNamespaces(t *testing.T) {
	b := newBench(t)
	b.Components = []component.Component{&spread{server: b.first, namespaces: []string{"a", "b"}}}
	b.pass()
	held := &corev1.ConfigMap{}
	if err := b.Client.Get(t.Context(), client.ObjectKey{Namespace: "b", Name: "first-access"}, held); err != nil {
		t.Fatal(err)
	}
	held.Finalizers = []string{"example.com/hold"}
	if err := b.Client.Update(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	b.mesh.Status.Removal = &v1alpha1.RemovalStatus{Phase: v1alpha1.RemovalDeleting}
	for range 3 {
		if _, err := b.teardown(t.Context(), b.mesh); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.mesh.Status.Components) != 1 {
		t.Fatalf("the components are %+v, want the one that is held", b.mesh.Status.Components)
	}
	if got, want := b.mesh.Status.Components[0].Message, "being removed, waiting for ConfigMap b/first-access (finalizer example.com/hold)"; got != want {
		t.Errorf("the message is %q, want %q", got, want)
	}
	if diff := cmp.Diff([]string{"b"}, b.configMaps()); diff != "" {
		t.Errorf("ConfigMaps (-want +got):\n%s", diff)
	}
}
