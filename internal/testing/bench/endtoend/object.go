package endtoend

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// meshName is the name of the mesh.
const meshName = "bench"

// object returns the object that the control plane reads as an entry of the catalog.
func object(entry catalog.Entry) (client.Object, error) {
	switch e := entry.(type) {
	case *catalog.Namespace:
		return &corev1.Namespace{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: e.Name, Labels: map[string]string{names.MonitoredByLabel: meshName}},
		}, nil
	case *catalog.ServiceAccount:
		return &corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: meta(e.Name, nil)}, nil
	case *catalog.Service:
		return service(e), nil
	case *catalog.EndpointSlice:
		return slice(e), nil
	case *catalog.Pod:
		return pod(e), nil
	case *catalog.HTTPRouteGroup:
		return routes(e), nil
	case *catalog.TrafficTarget:
		return target(e), nil
	}
	return nil, fmt.Errorf("there is no object for %T", entry)
}

func meta(name catalog.Name, labels map[string]string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name, Labels: labels}
}

func service(s *catalog.Service) client.Object {
	out := &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: meta(s.Name, nil),
		Spec: corev1.ServiceSpec{Selector: s.Selector, ClusterIP: s.ClusterIPs[0].String()},
	}
	for _, port := range s.Ports {
		out.Spec.Ports = append(out.Spec.Ports, corev1.ServicePort{
			Name: port.Name, Port: int32(port.Number), TargetPort: intstr.FromInt32(int32(port.TargetPort)), AppProtocol: ptr.To(string(port.Protocol)),
			Protocol: corev1.ProtocolTCP,
		})
	}
	return out
}

func slice(s *catalog.EndpointSlice) client.Object {
	out := &discoveryv1.EndpointSlice{
		TypeMeta:    metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta:  meta(s.Name, map[string]string{discoveryv1.LabelServiceName: s.Service.Name}),
		AddressType: discoveryv1.AddressTypeIPv4,
	}
	for name, number := range s.Ports {
		out.Ports = append(out.Ports, discoveryv1.EndpointPort{Name: ptr.To(name), Port: ptr.To(int32(number)), Protocol: ptr.To(corev1.ProtocolTCP)})
	}
	for _, e := range s.Endpoints {
		out.Endpoints = append(out.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{e.Address.String()}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(e.Ready)},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: e.Pod.Namespace, Name: e.Pod.Name},
		})
	}
	return out
}

// pod has a sidecar and its addresses.
func pod(p *catalog.Pod) *corev1.Pod {
	labels := map[string]string{names.RevisionLabel: p.Revision}
	for key, value := range p.Labels {
		labels[key] = value
	}
	out := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: meta(p.Name, labels),
		Spec: corev1.PodSpec{
			ServiceAccountName: p.ServiceAccount, Containers: []corev1.Container{{Name: "app", Image: "app"}},
			InitContainers: []corev1.Container{{
				Name: names.SidecarContainer, Image: "envoy", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways),
			}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: p.IPs[0].String()},
	}
	for _, ip := range p.IPs {
		out.Status.PodIPs = append(out.Status.PodIPs, corev1.PodIP{IP: ip.String()})
	}
	return out
}

func routes(g *catalog.HTTPRouteGroup) client.Object {
	var matches []any
	for _, m := range g.Matches {
		match := map[string]any{"name": m.Name, "pathRegex": m.PathRegex}
		if len(m.Methods) > 0 {
			match["methods"] = texts(m.Methods)
		}
		matches = append(matches, match)
	}
	return policy("specs.smi-spec.io/v1alpha4", "HTTPRouteGroup", g.Name, map[string]any{"matches": matches})
}

func target(t *catalog.TrafficTarget) client.Object {
	var rules, sources []any
	for _, r := range t.Rules {
		rules = append(rules, map[string]any{"kind": string(r.Kind), "name": r.Name})
	}
	for _, s := range t.Sources {
		sources = append(sources, map[string]any{"kind": "ServiceAccount", "name": s.Name, "namespace": s.Namespace})
	}
	destination := map[string]any{"kind": "ServiceAccount", "name": t.Destination.Name, "namespace": t.Destination.Namespace}
	return policy("access.smi-spec.io/v1alpha3", "TrafficTarget", t.Name, map[string]any{"destination": destination, "rules": rules, "sources": sources})
}

func policy(version, kind string, name catalog.Name, spec map[string]any) client.Object {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": version, "kind": kind, "metadata": map[string]any{"namespace": name.Namespace, "name": name.Name}, "spec": spec,
	}}
}

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, text := range list {
		out[i] = text
	}
	return out
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
