package inventory

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

var podAddress = netip.MustParseAddr("10.0.0.1")

// podNamed is a running pod of namespace a with a sidecar and the label app=s.
func podNamed(name string) *Instance {
	return &Instance{Name: inA(name), ServiceAccount: name, Injected: true, IPs: []netip.Addr{podAddress}, Labels: map[string]string{"app": "s"}, Ports: map[string]uint16{"http": 8080}}
}

func inA(name string) entity.Name { return entity.Name{Namespace: "a", Name: name} }

// sliceWith is an EndpointSlice of Service s with an endpoint at the address of podNamed.
func sliceWith(name, pod string, ready, terminating bool) *EndpointSlice {
	endpoint := Endpoint{Address: podAddress, Ready: ready, Terminating: terminating}
	if pod != "" {
		endpoint.Pod = inA(pod)
	}
	return &EndpointSlice{Name: inA(name), Service: inA("s"), Ports: map[string]uint16{"p": 80}, Endpoints: []Endpoint{endpoint}}
}

// serviceS returns a Service with a selector, or without one.
func serviceS(hasSelector bool) *Service {
	s := &Service{Name: inA("s"), Ports: []Port{{Name: "p", Number: 80, TargetPort: 80}}}
	if hasSelector {
		s.Selector = map[string]string{"app": "s"}
	}
	return s
}

// TestBackendsInTwoSlices checks which of two answers about an endpoint counts while it moves from one slice to the other.
func TestBackendsInTwoSlices(t *testing.T) {
	states := []struct{ ready, terminating bool }{{true, false}, {false, true}, {false, false}}
	for first, a := range states {
		for second, b := range states {
			inv := filled(podNamed("1"), serviceS(true), sliceWith("x", "1", a.ready, a.terminating), sliceWith("y", "1", b.ready, b.terminating))
			best := min(first, second)
			got := inv.Backends(inv.Service(inA("s")), Port{Name: "p", TargetPort: 80})
			if len(got) != 1 || got[0].Ready != (best == 0) || got[0].Serving != (best < 2) {
				t.Errorf("%v and %v: %+v", a, b, got)
			}
		}
	}
}

// TestBackendsWithoutNodeReports checks that an endpoint whose node does not report serves only if Kubernetes has chosen it.
func TestBackendsWithoutNodeReports(t *testing.T) {
	pod := podNamed("1")
	pod.NodeUnreachable = true
	for _, hasSelector := range []bool{true, false} {
		service := serviceS(hasSelector)
		service.ClusterIPs = []netip.Addr{netip.MustParseAddr("10.96.0.1")}
		inv := filled(pod, service, sliceWith("x", "1", false, false))
		if got := inv.Backends(service, service.Ports[0]); len(got) > 0 != hasSelector {
			t.Errorf("with a selector %t: %+v", hasSelector, got)
		}
	}
}

// TestHandwrittenEndpoints checks which endpoints put a pod behind a Service without a selector.
func TestHandwrittenEndpoints(t *testing.T) {
	for what, c := range map[string]struct {
		names string
		want  int
	}{"any pod": {"", 1}, "the pod": {"1", 1}, "another pod": {"2", 0}} {
		inv := filled(serviceS(false), podNamed("1"), sliceWith("x", c.names, true, false))
		if got := inv.Identities(inA("s")); len(got) != c.want {
			t.Errorf("an endpoint that names %s: the identities are %v", what, got)
		}
		if got := inv.LeftOut(inv.Service(inA("s"))); len(got) != 1-c.want {
			t.Errorf("an endpoint that names %s: left out are %v", what, got)
		}
	}
	inv := filled(serviceS(true), sliceWith("x", "1", true, false), sliceWith("y", "", true, false))
	if got := inv.LeftOut(inv.Service(inA("s"))); len(got) != 1 {
		t.Errorf("without the pod, left out are %v", got)
	}
	if inv := filled(serviceS(true), sliceWith("x", "1", true, false)); len(inv.LeftOut(inv.Service(inA("s")))) > 0 {
		t.Error("an endpoint is left out whose pod may appear")
	}
}

// TestServiceLosesItsSelector checks that the pods of its slices are behind it then, and are not with another selector.
func TestServiceLosesItsSelector(t *testing.T) {
	with, without := serviceS(true), serviceS(false)
	with.Selector["app"] = "other"
	inv := filled(with, podNamed("1"), sliceWith("x", "1", true, false))
	for _, step := range []struct{ before, after *Service }{{with, without}, {without, with}, {with, without}} {
		inv.Replace(step.before, step.after, entity.DepSet{})
		if got := inv.Identities(inA("s")); len(got) > 0 == step.after.HasSelector() {
			t.Errorf("with the selector %v the identities are %v", step.after.Selector, got)
		}
	}
}

// TestNamedPorts checks which numbers of ports depend on the pod.
func TestNamedPorts(t *testing.T) {
	service := serviceS(true)
	service.Ports = []Port{{Name: "fixed", TargetPort: 9000}, {Name: "named", TargetName: "http"}, {Name: "unknown", TargetName: "none"}}
	inv := filled(service, podNamed("1"))
	if got := fmt.Sprint(inv.NamedPorts(podNamed("1"), []entity.Name{service.Name, inA("none")})); got != "[{a/s named 8080}]" {
		t.Errorf("with a selector: %s", got)
	}
	for i, want := range []bool{false, true, true} {
		if got := service.NumberDependsOnPod(service.Ports[i]); got != want {
			t.Errorf("port %s depends on the pod: %t", service.Ports[i].Name, got)
		}
	}
	if without := serviceS(false); !without.NumberDependsOnPod(without.Ports[0]) {
		t.Error("ports of a Service without a selector do not depend on the pod")
	}
	inv = filled(serviceS(false), podNamed("1"), sliceWith("x", "1", true, false))
	if got := fmt.Sprint(inv.NamedPorts(podNamed("1"), []entity.Name{inA("s")})); got != "[{a/s p 80}]" {
		t.Errorf("without a selector: %s", got)
	}
}

func TestAnyRunningAt(t *testing.T) {
	finished := podNamed("1")
	finished.Finished = true
	if inv := filled(podNamed("1")); !inv.AnyRunningAt(podAddress) || inv.AnyRunningAt(netip.MustParseAddr("10.0.0.2")) {
		t.Error("not the address of the pod only")
	}
	if filled(finished).AnyRunningAt(podAddress) {
		t.Error("a finished pod is running")
	}
}

func TestHasOSMProxy(t *testing.T) {
	for name, c := range map[string]struct {
		osm, injected bool
		uuid          string
		want          bool
	}{
		"its own":           {true, false, "1", true},
		"of another pod":    {true, false, "2", false},
		"of this mesh":      {false, true, "1", false},
		"of both":           {true, true, "1", false},
		"without a sidecar": {false, false, "1", false},
	} {
		pod := &Instance{OSMSidecar: c.osm, Injected: c.injected, Labels: map[string]string{names.ProxyUUIDLabel: "1"}}
		if got := pod.HasOSMProxy(c.uuid); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
