package endtoend

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/objects"
)

// meshName is the name of the mesh.
const meshName = "bench"

// object returns the object that the control plane reads as an entry of the catalog.
func object(entry catalog.Entry) (client.Object, error) {
	switch e := entry.(type) {
	case *catalog.Namespace:
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.Name, Labels: map[string]string{names.MonitoredByLabel: meshName}}}, nil
	case *catalog.ServiceAccount:
		return &corev1.ServiceAccount{ObjectMeta: objects.Meta(e.Name)}, nil
	case *catalog.Service:
		service := objects.Service(e)
		return &service, nil
	case *catalog.EndpointSlice:
		slice := objects.EndpointSlice(e)
		return &slice, nil
	case *catalog.Pod:
		pod := objects.Pod(e)
		pod.Spec.Containers[0].Image, pod.Spec.InitContainers[0].Image = "app", "envoy"
		pod.Status.Phase, pod.Status.PodIP = corev1.PodRunning, pod.Status.PodIPs[0].IP
		return &pod, nil
	case *catalog.HTTPRouteGroup:
		group := objects.HTTPRouteGroup(e)
		return policy("specs.smi-spec.io/v1alpha4", "HTTPRouteGroup", &group)
	case *catalog.TrafficTarget:
		target := objects.TrafficTarget(e)
		return policy("access.smi-spec.io/v1alpha3", "TrafficTarget", &target)
	}
	return nil, fmt.Errorf("there is no object for %T", entry)
}

func policy(version, kind string, typed client.Object) (client.Object, error) {
	typed.GetObjectKind().SetGroupVersionKind(schema.FromAPIVersionAndKind(version, kind))
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	return &unstructured.Unstructured{Object: content}, err
}

// write creates or replaces an object.
type write func(ctx context.Context) error

// prepare returns the write for an entry. A new pod also gets its status.
func (c *cluster) prepare(ctx context.Context, entry catalog.Entry) (write, error) {
	o, err := object(entry)
	if err != nil {
		return nil, err
	}
	existing := o.DeepCopyObject().(client.Object)
	err = c.client.Get(ctx, client.ObjectKeyFromObject(o), existing)
	if err == nil {
		o.SetResourceVersion(existing.GetResourceVersion())
		return func(ctx context.Context) error { return c.client.Update(ctx, o) }, nil
	}
	return func(ctx context.Context) error { return c.create(ctx, o) }, client.IgnoreNotFound(err)
}

func (c *cluster) create(ctx context.Context, o client.Object) error {
	desired, isPod := o.DeepCopyObject().(*corev1.Pod)
	if err := c.client.Create(ctx, o); err != nil || !isPod {
		return err
	}
	desired.ResourceVersion = o.GetResourceVersion()
	return c.client.Status().Update(ctx, desired)
}
