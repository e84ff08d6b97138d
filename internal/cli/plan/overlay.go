package plan

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/load"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// Request is what somebody means to do to a cluster.
type Request struct {
	// Apply are the objects of files that would be applied, Delete those whose namesakes would be deleted.
	Apply, Delete []*unstructured.Unstructured
	// Namespace is that of objects that name none.
	Namespace string
	// Now is when it would be done: the age of new objects decides between conflicting ones.
	Now time.Time
}

// overlay makes the edit of a request.
type overlay struct {
	Edit
	subject Subject
	request Request
	kinds   map[schema.GroupKind]bool
	// before are the objects of the cluster, objects the same with the edit so far.
	before, objects map[key]*unstructured.Unstructured
	// pods are those of objects, once somebody has asked for them.
	pods      []*corev1.Pod
	addresses *manifests.Addresses
}

// invented is the first number of addresses of Services and pods that do not exist yet: those that no cluster has.
const invented = 240

// Overlay is the edit that a request makes of a cluster's objects: files are merged as `kubectl apply` does, and what a cluster
// would add to new Services and workloads is added.
func (s Subject) Overlay(r Request) (*Edit, error) {
	kinds, err := load.Kinds(s.Mesh, s.Scheme)
	if err != nil {
		return nil, err
	}
	before := byKey(s.Objects)
	o := &overlay{subject: s, request: r, kinds: map[schema.GroupKind]bool{}, before: before, objects: maps.Clone(before), addresses: manifests.NewAddresses(invented)}
	for kind := range kinds {
		o.kinds[kind] = true
	}
	for _, object := range r.Delete {
		if err := o.delete(manifests.Placed(object, r.Namespace)); err != nil {
			return nil, err
		}
	}
	for _, object := range r.Apply {
		if err := o.apply(manifests.Placed(object, r.Namespace)); err != nil {
			return nil, err
		}
	}
	for _, object := range r.Apply {
		if err := o.workload(manifests.Placed(object, r.Namespace)); err != nil {
			return nil, err
		}
	}
	if err := o.endpoints(); err != nil {
		return nil, err
	}
	o.sort()
	return &o.Edit, nil
}

// known says whether the mesh acts on an object. Of MeshConfigs that is the one beside the control plane.
func (o *overlay) known(object *unstructured.Unstructured) bool {
	return o.kinds[object.GroupVersionKind().GroupKind()] && (object.GetKind() != "MeshConfig" || object.GetNamespace() == o.subject.Namespace)
}

// apply merges an object into the cluster's.
func (o *overlay) apply(wanted *unstructured.Unstructured) error {
	switch {
	case wanted.GetKind() == "Mesh":
		o.unknown("Mesh %s: what the operator would do about it. Set its spec.mode to Plan, and `osm mesh plan` shows that.", wanted.GetName())
		return nil
	case !o.known(wanted):
		return nil
	}
	current := o.objects[keyOf(wanted)]
	if current == nil {
		added := wanted.DeepCopy()
		added.SetCreationTimestamp(metav1.NewTime(o.request.Now))
		o.note(Added, added)
		return o.put(added)
	}
	merged, err := applied(current, wanted)
	if err != nil || merged == current {
		return err
	}
	o.note(Changed, merged)
	return o.put(merged)
}

// put brings an object into the mesh.
func (o *overlay) put(object *unstructured.Unstructured) error {
	address, _, _ := unstructured.NestedString(object.Object, "spec", "clusterIP")
	if object.GetKind() == "Service" && address == "" {
		invented := o.addresses.Of(object.GetNamespace() + "/" + object.GetName()).String()
		if err := unstructured.SetNestedField(object.Object, invented, "spec", "clusterIP"); err != nil {
			return err
		}
	}
	o.Put = append(o.Put, object)
	o.objects[keyOf(object)] = object
	o.pods = nil
	return nil
}

// delete takes an object away, and what goes with it.
func (o *overlay) delete(named *unstructured.Unstructured) error {
	id := keyOf(named)
	gone := o.going(id, named)
	for _, k := range gone {
		object := o.objects[k]
		if k == id || object.GetKind() != "Pod" && object.GetKind() != "EndpointSlice" {
			o.note(Removed, object)
		}
		o.Remove = append(o.Remove, object)
		delete(o.objects, k)
	}
	if len(gone) > 0 && !o.kinds[id.kind] {
		o.note(Removed, named)
	}
	o.pods = nil
	return nil
}

// going are an object and what goes with it, sorted.
func (o *overlay) going(id key, named *unstructured.Unstructured) []key {
	var gone []key
	if o.objects[id] != nil {
		gone = append(gone, id)
	}
	if o.kinds[id.kind] && id.kind.Kind != "Namespace" && id.kind.Kind != "Service" {
		return gone // a policy, with which nothing goes
	}
	for k, object := range o.objects {
		if k != id && belongs(object, named) {
			gone = append(gone, k)
		}
	}
	slices.SortFunc(gone, compareKeys)
	return gone
}

// belongs says whether an object goes with another: the endpoints with their Service, the pods with their workload, everything
// with its namespace.
func belongs(object, owner *unstructured.Unstructured) bool {
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

// podsNow are the pods of the mesh with the edit so far.
func (o *overlay) podsNow() ([]*corev1.Pod, error) {
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
	slices.SortFunc(o.pods, func(a, b *corev1.Pod) int { return comparePods(a, b) })
	return o.pods, nil
}

// monitored says whether a namespace belongs to the mesh.
func (o *overlay) monitored(namespace string) bool {
	object := o.objects[key{schema.GroupKind{Kind: "Namespace"}, "", namespace}]
	return object != nil && object.GetLabels()[names.MonitoredByLabel] == o.subject.Mesh
}
