package plan

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
)

const serviceLabel = discoveryv1.LabelServiceName

// workload adds a pod for a workload without pods. Existing pods are kept, and their replacement is reported as unknown.
func (o *overlay) workload(object *unstructured.Unstructured) error {
	pod, err := manifests.PodOf(object)
	if err != nil || pod == nil {
		return err
	}
	pods, err := o.currentPods()
	if err != nil {
		return err
	}
	own := manifests.Workload{Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName()}
	account := cmp.Or(pod.Spec.ServiceAccountName, "default")
	exists, same := false, false
	for _, p := range pods {
		if p.Namespace != own.Namespace || manifests.OwnerOf(o.objects[key{schema.GroupKind{Kind: "Pod"}, p.Namespace, p.Name}]) != own {
			continue
		}
		exists = true
		same = same || cmp.Or(p.Spec.ServiceAccountName, "default") == account && labels.SelectorFromSet(pod.Labels).Matches(labels.Set(p.Labels))
	}
	switch {
	case same:
		return nil
	case exists:
		o.unknown("%s: its pods would be replaced by pods with another service account or other labels. The plan uses the existing pods.", own)
		return nil
	}
	o.note(Added, object)
	if o.inMesh(own.Namespace) {
		manifests.Inject(pod)
	}
	pod.Status.Phase = corev1.PodRunning
	pod.Status.PodIPs = []corev1.PodIP{{IP: o.addresses.Of("pod " + own.String()).String()}}
	if err := o.putTyped(pod); err != nil {
		return err
	}
	o.unknown("%s: its number of pods. The plan assumes one pod.", own)
	return nil
}

func compareKeys(a, b key) int {
	return cmp.Or(strings.Compare(a.kind.String(), b.kind.String()), strings.Compare(a.namespace, b.namespace), strings.Compare(a.name, b.name))
}

func (o *overlay) putTyped(object runtime.Object) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	return o.put(&unstructured.Unstructured{Object: content})
}

// endpoints updates the endpoints of new Services, of Services with a changed selector, and of Services that select new pods.
func (o *overlay) endpoints() error {
	newPods := slices.ContainsFunc(o.Put, func(u *unstructured.Unstructured) bool { return u.GetKind() == "Pod" })
	for _, id := range o.services(newPods) {
		object := o.objects[id]
		service := &corev1.Service{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, service); err != nil {
			return err
		}
		if earlier := o.before[id]; earlier != nil && reflect.DeepEqual(selectorOf(earlier), selectorOf(object)) && !o.selectsNew(service) {
			continue
		}
		if err := o.replaceEndpoints(service); err != nil {
			return err
		}
	}
	return nil
}

// services returns the Services to update: all if there are new pods, otherwise those of the edit.
func (o *overlay) services(all bool) []key {
	var ids []key
	for id, object := range o.objects {
		if object.GetKind() == "Service" && (all || slices.Contains(o.Put, object)) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, compareKeys)
	return ids
}

func selectorOf(service *unstructured.Unstructured) map[string]string {
	selector, _, _ := unstructured.NestedStringMap(service.Object, "spec", "selector")
	return selector
}

func (o *overlay) selectsNew(service *corev1.Service) bool {
	if len(service.Spec.Selector) == 0 {
		return false
	}
	selector := labels.SelectorFromSet(service.Spec.Selector)
	return slices.ContainsFunc(o.Put, func(u *unstructured.Unstructured) bool {
		return u.GetKind() == "Pod" && u.GetNamespace() == service.Namespace && selector.Matches(labels.Set(u.GetLabels()))
	})
}

// replaceEndpoints replaces the endpoints of a Service.
func (o *overlay) replaceEndpoints(service *corev1.Service) error {
	if len(service.Spec.Selector) == 0 {
		return nil
	}
	pods, err := o.currentPods()
	if err != nil {
		return err
	}
	slice := manifests.EndpointsOf(service, pods)
	var old []key
	for id, object := range o.objects {
		if object.GetKind() == "EndpointSlice" && id.namespace == service.Namespace && object.GetLabels()[serviceLabel] == service.Name {
			old = append(old, id)
		}
	}
	slices.SortFunc(old, compareKeys)
	for _, id := range old {
		o.Remove = append(o.Remove, o.objects[id])
		delete(o.objects, id)
	}
	return o.putTyped(slice)
}
