package scope_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestEndpointsAreReadyOnes checks that terminating pods get no requests while others are ready, and that each address has its workload.
func TestEndpointsAreReadyOnes(t *testing.T) {
	service := Service("shop", "web", "web", "10.96.0.1", 80, catalog.ProtocolHTTP)
	var pods []*catalog.Pod
	for name, ip := range map[string]string{"first": "10.0.0.1", "second": "10.0.0.2", "third": "10.0.0.3"} {
		pod := Pod("shop", name, "web", "web", ip)
		pod.Workload = catalog.Workload{Kind: "Deployment", Name: name}
		pods = append(pods, pod)
	}
	slice := Slice(service.Name, pods...)
	for i := range slice.Endpoints {
		if slice.Endpoints[i].Pod.Name == "second" {
			slice.Endpoints[i].Ready, slice.Endpoints[i].Terminating = false, true
		}
	}
	entries := []catalog.Entry{&catalog.Namespace{Name: "shop", Monitored: true}, service, slice}
	for _, pod := range pods {
		entries = append(entries, pod)
	}
	key := scope.EndpointsKey{Service: service.Name, TargetPort: 80}
	want := scope.Endpoints{
		Key:       key,
		Addresses: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("10.0.0.3:80")},
		Workloads: []catalog.Workload{{Kind: "Deployment", Name: "first"}, {Kind: "Deployment", Name: "third"}},
	}
	if diff := cmp.Diff(want, scope.BuildEndpoints(Apply(entries...).View(), key), cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
}

// TestEndpointsOfMissingService checks that a Service outside the mesh, or a deleted one, has no endpoints.
func TestEndpointsOfMissingService(t *testing.T) {
	pod, service := Pod("shop", "web", "web", "web", "10.0.0.1"), Service("shop", "web", "web", "10.96.0.1", 80, catalog.ProtocolHTTP)
	for name, c := range map[string]*catalog.Catalog{
		"deleted":          Apply(&catalog.Namespace{Name: "shop", Monitored: true}, pod, Slice(service.Name, pod)),
		"outside the mesh": Apply(&catalog.Namespace{Name: "shop"}, pod, service, Slice(service.Name, pod)),
	} {
		key := scope.EndpointsKey{Service: service.Name, TargetPort: 80}
		if got := scope.BuildEndpoints(c.View(), key); got.Key != key || len(got.Addresses) > 0 {
			t.Errorf("%s: the endpoints are %+v, want none of the key", name, got)
		}
	}
}
