package largemesh

import (
	"fmt"
	"maps"
	"net/netip"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Size of the mesh whose questions are answered within a second.
const (
	Services = 1_000
	// TargetsEach is the number of TrafficTargets per service. With the HTTPRouteGroup, each service has ten policies.
	TargetsEach  = 9
	perNamespace = 50
)

func object(apiVersion, kind, namespace, name string, fields map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	maps.Copy(u.Object, fields)
	u.SetAPIVersion(apiVersion)
	u.SetKind(kind)
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}

func address(network byte, n int) string {
	return netip.AddrFrom4([4]byte{network, byte(n >> 16), byte(n >> 8), byte(n)}).String()
}

func namespaceOf(i int) string { return fmt.Sprintf("team-%d", i/perNamespace) }
func nameOf(i int) string      { return fmt.Sprintf("service-%d", i) }

// Objects returns a mesh with the given number of services, each with two pods and ten policies.
func Objects(services int) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for i := 0; i < services; i += perNamespace {
		ns := object("v1", "Namespace", "", namespaceOf(i), nil)
		ns.SetLabels(map[string]string{names.MonitoredByLabel: "osm"})
		ns.SetAnnotations(map[string]string{names.InjectionAnnotation: "enabled"})
		all = append(all, ns)
	}
	for i := range services {
		all = append(all, serviceObjects(i)...)
		all = append(all, object(kinds.HTTPRouteGroup.GroupVersion().String(), "HTTPRouteGroup", namespaceOf(i), nameOf(i), map[string]any{
			"spec": map[string]any{"matches": []any{
				map[string]any{"name": "read", "pathRegex": "/items/.*", "methods": []any{"GET"}},
				map[string]any{"name": "write", "pathRegex": "/items", "methods": []any{"POST"}},
			}},
		}))
		for n := range TargetsEach {
			all = append(all, Target(services, i, n, "read"))
		}
	}
	return all
}

func serviceObjects(i int) []*unstructured.Unstructured {
	ns, name := namespaceOf(i), nameOf(i)
	labels := map[string]any{"app": name}
	all := []*unstructured.Unstructured{
		object("v1", "ServiceAccount", ns, name, nil),
		object("v1", "Service", ns, name, map[string]any{"spec": map[string]any{
			"clusterIP": address(172, i+1), "selector": labels,
			"ports": []any{map[string]any{"name": "http", "port": int64(80), "targetPort": int64(8080)}},
		}}),
	}
	var endpoints []any
	for n := range 2 {
		pod := object("v1", "Pod", ns, fmt.Sprintf("%s-%d", name, n), map[string]any{
			"spec": map[string]any{
				"serviceAccountName": name, "containers": []any{map[string]any{"name": "app", "image": "app"}},
				"initContainers": []any{map[string]any{"name": names.SidecarContainer, "restartPolicy": "Always"}},
			},
			"status": map[string]any{"phase": "Running", "podIPs": []any{map[string]any{"ip": address(10, i*2+n+1)}}},
		})
		pod.SetLabels(map[string]string{"app": name})
		all = append(all, pod)
		endpoints = append(endpoints, map[string]any{
			"addresses": []any{address(10, i*2+n+1)}, "conditions": map[string]any{"ready": true},
			"targetRef": map[string]any{"kind": "Pod", "namespace": ns, "name": pod.GetName()},
		})
	}
	slice := object("discovery.k8s.io/v1", "EndpointSlice", ns, name, map[string]any{
		"addressType": "IPv4", "endpoints": endpoints, "ports": []any{map[string]any{"name": "http", "port": int64(8080)}},
	})
	slice.SetLabels(map[string]string{"kubernetes.io/service-name": name})
	return append(all, slice)
}

// Target returns the n-th TrafficTarget for service i. match is "read" or "write".
func Target(services, i, n int, match string) *unstructured.Unstructured {
	source := (i + 1 + n*7) % services
	return object(kinds.TrafficTarget.GroupVersion().String(), "TrafficTarget", namespaceOf(i), fmt.Sprintf("%s-%d", nameOf(i), n), map[string]any{
		"spec": map[string]any{
			"destination": map[string]any{"kind": "ServiceAccount", "name": nameOf(i), "namespace": namespaceOf(i)},
			"sources":     []any{map[string]any{"kind": "ServiceAccount", "name": nameOf(source), "namespace": namespaceOf(source)}},
			"rules":       []any{map[string]any{"kind": "HTTPRouteGroup", "name": nameOf(i), "matches": []any{match}}},
		},
	})
}
