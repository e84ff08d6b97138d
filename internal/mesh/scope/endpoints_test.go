package scope_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestEndpointsAreReadyOnes checks that terminating pods get no requests while others are ready, and that each address has its workload.
func TestEndpointsAreReadyOnes(t *testing.T) {
	service := Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	var pods []*inventory.Instance
	for name, ip := range map[string]string{"first": "10.0.0.1", "second": "10.0.0.2", "third": "10.0.0.3"} {
		pod := Pod("shop", name, "web", "web", ip)
		pod.Workload = inventory.Workload{Kind: "Deployment", Name: name}
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
		Workloads: []inventory.Workload{{Kind: "Deployment", Name: "first"}, {Kind: "Deployment", Name: "third"}},
	}
	if diff := cmp.Diff(want, scope.BuildEndpoints(Apply(entries...).View(), key), cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
}

// TestEndpointsOfUnreachableNodes checks that pods that are not ready only because their node does not report get requests if no other pod is ready: after the API
// server was away, Kubernetes marks those of all nodes for some seconds. A pod that reports that it is not ready gets none.
func TestEndpointsOfUnreachableNodes(t *testing.T) {
	service := Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	first, second := Pod("shop", "first", "web", "web", "10.0.0.1"), Pod("shop", "second", "web", "web", "10.0.0.2")
	first.NodeUnreachable = true
	slice := Slice(service.Name, first, second)
	slice.Endpoints[0].Ready = false
	c := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, service, slice, first, second)
	key := scope.EndpointsKey{Service: service.Name, TargetPort: 80}
	expect := func(when string, want ...string) {
		t.Helper()
		var got []string
		for _, address := range scope.BuildEndpoints(c.View(), key).Addresses {
			got = append(got, address.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	expect("one pod is ready", "10.0.0.2:80")
	unready := *slice
	unready.Endpoints = slices.Clone(slice.Endpoints)
	unready.Endpoints[1].Ready = false
	c.Apply([]catalog.Change{catalog.Set(&unready)})
	expect("one pod is not ready, and the other one's node does not report", "10.0.0.1:80")
	reported := *first
	reported.NodeUnreachable = false
	if affected := c.Apply([]catalog.Change{catalog.Set(&reported)}); !slices.Contains(affected, entity.DepEndpoints.Of(service.Name)) {
		t.Errorf("the node reports, which affects %v, want the endpoints", affected)
	}
	expect("no pod is ready")
}

// TestEndpointsOfDeletedPods checks that a pod gets no requests from its deletion on, also while its EndpointSlice says that it is ready: its application may have
// ended before the slice says otherwise. Without another pod it gets them, as one that terminates by its slice does.
func TestEndpointsOfDeletedPods(t *testing.T) {
	service := Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	first, second := Pod("shop", "first", "web", "web", "10.0.0.1"), Pod("shop", "second", "web", "web", "10.0.0.2")
	c := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, service, Slice(service.Name, first, second), first, second)
	key := scope.EndpointsKey{Service: service.Name, TargetPort: 80}
	for _, step := range []struct {
		when    string
		deleted *inventory.Instance
		want    []string
	}{
		{"no pod is deleted", nil, []string{"10.0.0.1:80", "10.0.0.2:80"}},
		{"the first is deleted", first, []string{"10.0.0.2:80"}},
		{"both are deleted", second, []string{"10.0.0.1:80", "10.0.0.2:80"}},
	} {
		if step.deleted != nil {
			deleted := *step.deleted
			deleted.Terminating = true
			if affected := c.Apply([]catalog.Change{catalog.Set(&deleted)}); !slices.Contains(affected, entity.DepEndpoints.Of(service.Name)) {
				t.Errorf("%s, which affects %v, want the endpoints", step.when, affected)
			}
		}
		var got []string
		for _, address := range scope.BuildEndpoints(c.View(), key).Addresses {
			got = append(got, address.String())
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.when, diff)
		}
	}
}

// TestEndpointsOfMissingService checks that a Service outside the mesh, or a deleted one, has no endpoints.
func TestEndpointsOfMissingService(t *testing.T) {
	pod, service := Pod("shop", "web", "web", "web", "10.0.0.1"), Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
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
