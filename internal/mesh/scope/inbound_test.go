package scope_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestInboundPorts checks which container ports a sidecar serves for the ports of a Service.
func TestInboundPorts(t *testing.T) {
	numbered := func(number, target uint16) inventory.Port {
		return inventory.Port{Name: "numbered", Number: number, TargetPort: target, Protocol: inventory.ProtocolHTTP}
	}
	named := inventory.Port{Name: "web", Number: 80, TargetName: "http", Protocol: inventory.ProtocolHTTP}
	for name, test := range map[string]struct {
		ports []inventory.Port
		// declared is the number that the pod has for the port, and listed that of its EndpointSlice; 0 for none.
		declared, listed uint16
		want             []uint16
	}{
		"a number":                                {[]inventory.Port{numbered(80, 8080)}, 0, 0, []uint16{8080}},
		"one container port behind two ports":     {[]inventory.Port{numbered(80, 8080), numbered(81, 8080)}, 0, 0, []uint16{8080}},
		"a name that the pod declares":            {[]inventory.Port{named}, 8080, 8081, []uint16{8080}},
		"a name that only the endpoints have":     {[]inventory.Port{named}, 0, 8081, []uint16{8081}},
		"a name without a number":                 {[]inventory.Port{named}, 0, 0, nil},
		"a number after a name without a number":  {[]inventory.Port{named, numbered(81, 9090)}, 0, 0, []uint16{9090}},
		"a name with the number of another port":  {[]inventory.Port{named, numbered(81, 8080)}, 8080, 0, []uint16{8080}},
		"a name and a number, each with its port": {[]inventory.Port{named, numbered(81, 9090)}, 8080, 0, []uint16{8080, 9090}},
	} {
		pod := Pod("shop", "web", "web", "web", "10.0.0.1")
		service := Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
		service.Ports = test.ports
		slice := Slice(service.Name, pod)
		if test.declared != 0 {
			pod.Ports = map[string]uint16{"http": test.declared}
		}
		if test.listed != 0 {
			slice.Ports = map[string]uint16{"web": test.listed}
		}
		c := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, pod, service, slice)
		if diff := cmp.Diff(test.want, containerPorts(scope.Build(c.View(), trustDomain, scope.KeyFor(c.View(), pod)))); diff != "" {
			t.Errorf("%s: container ports (-want +got):\n%s", name, diff)
		}
	}
}

// TestInboundPortOfAnOlderKey checks that a Service that no longer names its target port has the new number in the scope of a key from before
// the change.
func TestInboundPortOfAnOlderKey(t *testing.T) {
	pod := Pod("shop", "web", "web", "web", "10.0.0.1")
	pod.Ports = map[string]uint16{"http": 8080}
	service := Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	service.Ports[0] = inventory.Port{Name: "web", Number: 80, TargetName: "http", Protocol: inventory.ProtocolHTTP}
	c := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, pod, service, Slice(service.Name, pod))
	key := scope.KeyFor(c.View(), pod)
	numbered := *service
	numbered.Ports = []inventory.Port{{Name: "web", Number: 80, TargetPort: 9090, Protocol: inventory.ProtocolHTTP}}
	c.Apply([]catalog.Change{catalog.Set(&numbered)})
	if diff := cmp.Diff([]uint16{9090}, containerPorts(scope.Build(c.View(), trustDomain, key))); diff != "" {
		t.Errorf("container ports (-want +got):\n%s", diff)
	}
}

func containerPorts(s *scope.Scope) []uint16 {
	var ports []uint16
	for _, in := range s.Inbound {
		ports = append(ports, in.TargetPort)
	}
	return ports
}
