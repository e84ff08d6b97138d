package plan

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Request is an intended change of a cluster.
type Request struct {
	// Apply lists the objects to apply, Delete the objects to delete by kind and name.
	Apply, Delete []*unstructured.Unstructured
	// Namespace is the namespace of objects without one.
	Namespace string
	// Now is the creation time of new objects. The age decides between conflicting policies.
	Now time.Time
}

// overlay computes the edit of a request.
type overlay struct {
	Edit
	subject Subject
	request Request
	kinds   sets.Set[schema.GroupKind]
	// before holds the objects of the cluster, objects the same with the edit so far.
	before, objects map[key]*unstructured.Unstructured
	// pods caches the pods in objects.
	pods      []*corev1.Pod
	addresses *manifests.Addresses
}

// generatedNetwork is the first byte of generated addresses. 240.0.0.0/8 is reserved, so no cluster uses it.
const generatedNetwork = 240

// Overlay returns the edit that a request makes to the objects of a cluster. Files are merged like `kubectl apply`. New Services and
// workloads get the addresses, pods and endpoints that a cluster would add.
func (s Subject) Overlay(r Request) (*Edit, error) {
	kinds, err := load.Kinds(s.Mesh, s.Scheme)
	if err != nil {
		return nil, err
	}
	before := byKey(s.Objects)
	o := &overlay{
		subject: s, request: r, kinds: sets.KeySet(kinds), before: before, objects: maps.Clone(before), addresses: manifests.NewAddresses(generatedNetwork),
	}
	for _, object := range r.Delete {
		o.delete(manifests.InNamespace(object, r.Namespace))
	}
	for _, object := range r.Apply {
		if err := o.apply(manifests.InNamespace(object, r.Namespace)); err != nil {
			return nil, err
		}
	}
	for _, object := range r.Apply {
		if err := o.workload(manifests.InNamespace(object, r.Namespace)); err != nil {
			return nil, err
		}
	}
	if err := o.endpoints(); err != nil {
		return nil, err
	}
	o.sort()
	return &o.Edit, nil
}

// known returns true if the mesh uses an object. Only the MeshConfig in the namespace of the control plane is used.
func (o *overlay) known(object *unstructured.Unstructured) bool {
	return o.kinds.Has(object.GroupVersionKind().GroupKind()) && (object.GetKind() != "MeshConfig" || object.GetNamespace() == o.subject.Namespace)
}

// apply merges an object into the objects of the cluster.
func (o *overlay) apply(desired *unstructured.Unstructured) error {
	switch {
	case desired.GetKind() == "Mesh":
		o.unknown("Mesh %s: changes made by the operator. Set spec.mode to Plan and run `osm mesh plan` to see them.", desired.GetName())
		return nil
	case !o.known(desired):
		return nil
	}
	current := o.objects[keyOf(desired)]
	if current == nil {
		added := desired.DeepCopy()
		added.SetCreationTimestamp(metav1.NewTime(o.request.Now))
		o.note(Added, added)
		return o.put(added)
	}
	merged, err := applyObject(current, desired)
	if err != nil || merged == current {
		return err
	}
	o.note(Changed, merged)
	return o.put(merged)
}

// put adds or replaces an object.
func (o *overlay) put(object *unstructured.Unstructured) error {
	address, _, _ := unstructured.NestedString(object.Object, "spec", "clusterIP")
	if object.GetKind() == "Service" && address == "" {
		address := o.addresses.Of(object.GetNamespace() + "/" + object.GetName()).String()
		if err := unstructured.SetNestedField(object.Object, address, "spec", "clusterIP"); err != nil {
			return err
		}
	}
	o.Put = append(o.Put, object)
	o.objects[keyOf(object)] = object
	o.pods = nil
	return nil
}

// delete removes an object and its dependents.
func (o *overlay) delete(named *unstructured.Unstructured) {
	id := keyOf(named)
	removed := o.withDependents(id, named)
	for _, k := range removed {
		object := o.objects[k]
		if k == id || object.GetKind() != "Pod" && object.GetKind() != "EndpointSlice" {
			o.note(Removed, object)
		}
		o.Remove = append(o.Remove, object)
		delete(o.objects, k)
	}
	if len(removed) > 0 && !o.kinds.Has(id.kind) {
		o.note(Removed, named)
	}
	o.pods = nil
}

// withDependents returns an object and its dependents, sorted.
func (o *overlay) withDependents(id key, named *unstructured.Unstructured) []key {
	var removed []key
	if o.objects[id] != nil {
		removed = append(removed, id)
	}
	if o.kinds.Has(id.kind) && id.kind.Kind != "Namespace" && id.kind.Kind != "Service" {
		return removed // policies have no dependents
	}
	for k, object := range o.objects {
		if k != id && isDependent(object, named) {
			removed = append(removed, k)
		}
	}
	slices.SortFunc(removed, compareKeys)
	return removed
}

// isDependent returns true if an object is deleted together with owner: endpoints with their Service, pods with their workload, everything
// with its namespace.
func isDependent(object, owner *unstructured.Unstructured) bool {
	switch {
	case owner.GetKind() == "Namespace":
		return object.GetNamespace() == owner.GetName()
	case object.GetNamespace() != owner.GetNamespace():
		return false
	case owner.GetKind() == "Service":
		return object.GetKind() == "EndpointSlice" && object.GetLabels()[serviceLabel] == owner.GetName()
	}
	return object.GetKind() == "Pod" && manifests.OwnerOf(object) == manifests.Workload{Kind: owner.GetKind(), Namespace: owner.GetNamespace(), Name: owner.GetName()}
}

// currentPods returns the pods of the mesh with the edit so far.
func (o *overlay) currentPods() ([]*corev1.Pod, error) {
	if o.pods != nil {
		return o.pods, nil
	}
	for _, object := range o.objects {
		if object.GetKind() != "Pod" {
			continue
		}
		pod := &corev1.Pod{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, pod); err != nil {
			return nil, err
		}
		o.pods = append(o.pods, pod)
	}
	slices.SortFunc(o.pods, func(a, b *corev1.Pod) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return o.pods, nil
}

// inMesh returns true if a namespace belongs to the mesh.
func (o *overlay) inMesh(namespace string) bool {
	object := o.objects[key{schema.GroupKind{Kind: "Namespace"}, "", namespace}]
	return object != nil && object.GetLabels()[names.MonitoredByLabel] == o.subject.Mesh
}
