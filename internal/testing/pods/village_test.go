package pods_test

import (
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/injector/redirect"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// village is a set of pods in namespace shop. Their sidecars are configured from Kubernetes objects through ingest, catalog,
// scope and envoy, as in the control plane.
type village struct {
	network *pods.Network
	pods    map[string]*pods.Pod
	objects map[string]*corev1.Pod
	catalog *catalog.Catalog
}

func newVillage(t *testing.T) *village {
	t.Helper()
	v := &village{network: pods.NewNetwork(t), pods: map[string]*pods.Pod{}, objects: map[string]*corev1.Pod{}, catalog: catalog.New()}
	v.apply(catalog.Set(&catalog.Namespace{Name: "shop", Monitored: true}))
	return v
}

func (v *village) apply(changes ...catalog.Change) { v.catalog.Apply(changes) }

// addPod adds a pod with a sidecar, labelled app=<account>, that runs as the account.
func (v *village) addPod(t *testing.T, name, account string, rules redirect.Config) *pods.Pod {
	t.Helper()
	p := v.network.PodRedirected(t, name, rules)
	object := &corev1.Pod{}
	object.Namespace, object.Name, object.Labels = "shop", name, map[string]string{"app": account}
	object.Spec.ServiceAccountName = account
	object.Spec.InitContainers = []corev1.Container{{Name: names.SidecarContainer, RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}}
	object.Status.PodIPs = []corev1.PodIP{{IP: p.IP.String()}, {IP: p.IP6.String()}}
	v.pods[name], v.objects[name] = p, object
	v.apply(catalog.Set(ingest.Pod(object)))
	return p
}

// services adds Services from YAML documents, with an EndpointSlice for each address family.
func (v *village) services(t *testing.T, documents string) {
	t.Helper()
	for text := range strings.SplitSeq(documents, "---") {
		service := &corev1.Service{}
		if err := yaml.UnmarshalStrict([]byte(text), service); err != nil {
			t.Fatal(err)
		}
		service.Namespace = "shop"
		entry, problems := ingest.Service(service)
		if len(problems) > 0 {
			t.Fatalf("Service %s: %+v", service.Name, problems)
		}
		if entry == nil {
			continue
		}
		v.apply(catalog.Set(entry))
		for _, v6 := range []bool{false, true} {
			slice, problems := ingest.EndpointSlice(v.slice(service, v6))
			if len(problems) > 0 {
				t.Fatalf("EndpointSlice of %s: %+v", service.Name, problems)
			}
			v.apply(catalog.Set(slice))
		}
	}
}

func (v *village) slice(service *corev1.Service, v6 bool) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{}
	slice.Namespace, slice.Name = service.Namespace, service.Name+"-4"
	if v6 {
		slice.Name = service.Name + "-6"
	}
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: service.Name}
	for _, port := range service.Spec.Ports {
		target := port.TargetPort.IntVal
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &port.Name, Port: &target})
	}
	for name, pod := range v.objects {
		if pod.Labels["app"] != service.Spec.Selector["app"] {
			continue
		}
		for _, ip := range pod.Status.PodIPs {
			if netip.MustParseAddr(ip.IP).Is6() == v6 {
				slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
					Addresses: []string{ip.IP}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: name, Namespace: "shop"},
				})
			}
		}
	}
	return slice
}

// policies adds SMI objects from YAML documents.
func (v *village) policies(t *testing.T, documents string) {
	t.Helper()
	for text := range strings.SplitSeq(documents, "---") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
			t.Fatal(err)
		}
		object.SetNamespace("shop")
		entry, problems := policy(object)
		if len(problems) > 0 {
			t.Fatalf("%s %s: %+v", object.GetKind(), object.GetName(), problems)
		}
		v.apply(catalog.Set(entry))
	}
}

func policy(object *unstructured.Unstructured) (catalog.Entry, []ingest.Problem) {
	switch object.GetKind() {
	case "TrafficTarget":
		return ingest.TrafficTarget(object)
	case "TCPRoute":
		return ingest.TCPRoute(object)
	default:
		return ingest.HTTPRouteGroup(object)
	}
}

// configure sends every sidecar its configuration.
func (v *village) configure(t *testing.T) {
	t.Helper()
	view := v.catalog.View()
	for name, p := range v.pods {
		s := scope.Build(view, trustDomain, scope.KeyFor(view, ingest.Pod(v.objects[name])))
		var endpoints []scope.Endpoints
		for _, cluster := range s.Clusters {
			one := scope.BuildEndpoints(view, cluster.Endpoints)
			one.Key = scope.EndpointsKey{Service: cluster.Service, TargetPort: cluster.TargetPort}
			endpoints = append(endpoints, one)
		}
		p.Configure(t, s, endpoints...)
	}
}
