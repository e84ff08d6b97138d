package verdict

import (
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// TestMixed_GroupUpdateReachesServerLater reproduces an observed race: the client's sidecar no longer applies the split
// to a request, and the server's sidecar still grants it.
func TestMixed_GroupUpdateReachesServerLater(t *testing.T) {
	root := entity.Name{Namespace: "b", Name: "s6"}
	group := func(path string) *catalog.HTTPRouteGroup {
		return &catalog.HTTPRouteGroup{
			Name: entity.Name{Namespace: "b", Name: "g1"}, Matches: []catalog.HTTPMatch{{Name: "m0", PathRegex: path}},
		}
	}
	w := podsOnly()
	for _, e := range []catalog.Entry{
		&catalog.Settings{},
		&inventory.Service{
			Name: root, ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.6")}, Selector: map[string]string{"app": "x"},
			Ports: []inventory.Port{{Name: "p80", Number: 80, TargetPort: webPort, Protocol: inventory.ProtocolHTTP}},
		},
		&catalog.TrafficTarget{
			Name: entity.Name{Namespace: "b", Name: "t"}, Destination: accounts[len(accounts)-1], Sources: accounts,
			Rules: []catalog.TargetRule{{Kind: entity.KindHTTPRouteGroup, Name: "g1"}},
		},
		&catalog.TrafficSplit{
			Name: entity.Name{Namespace: "b", Name: "split"}, Root: root, Matches: []string{"g1"},
			Backends: []catalog.SplitBackend{{Service: root, Weight: 0}},
		},
		group("/.*"),
	} {
		w[e.Ref()] = e
	}
	edit := []catalog.Change{catalog.Set(group("/a"))}
	s := &step{
		edit: edit, before: newOracle(w), after: newOracle(w.with(edit)),
		requests: []Request{{Pod: 1, To: netip.MustParseAddrPort("10.96.0.6:80"), Method: "GET", Path: "/admin"}},
	}
	old, next := s.before.expect(s.requests[0]), s.after.expect(s.requests[0])
	answered := func(o *oracle) (list []string) {
		for seen := range o.expect(s.requests[0]).seen {
			list = append(list, seen)
		}
		return list
	}
	if !old.allows("503") || !next.allows("404") {
		t.Fatalf("before %v, after %v: want 503 and 404", old, next)
	}
	for _, o := range s.mixed() {
		for _, seen := range answered(o) {
			if old.allows(seen) || next.allows(seen) {
				continue
			}
			if !s.fitsMixed(sample{seen: seen}) {
				t.Errorf("%s is not accepted as a result of the intermediate state", seen)
			}
			return
		}
	}
	t.Errorf("the edit has no intermediate state with a result of its own: %v", answered(s.mixed()[0]))
}

// TestMixed_EndpointsArriveBeforeListeners reproduces another race: a Service selects other pods and loses the requested
// port, but keeps its target port for another one.
func TestMixed_EndpointsArriveBeforeListeners(t *testing.T) {
	service := func(app string, address netip.Addr, port inventory.Port) *inventory.Service {
		s := &inventory.Service{Name: entity.Name{Namespace: "a", Name: "s4"}, Selector: map[string]string{"app": app}, Ports: []inventory.Port{port}}
		if address.IsValid() {
			s.ClusterIPs = []netip.Addr{address}
		}
		return s
	}
	w := podsOnly()
	for i, app := range []string{"x", "y", "y", "y"} {
		p := newPod(i, app, ready)
		w[p.Ref()] = p
	}
	to := netip.MustParseAddrPort("10.96.0.3:80")
	for _, e := range []catalog.Entry{
		&catalog.Settings{Permissive: true},
		service("y", to.Addr(), inventory.Port{Name: "p80", Number: 80, TargetPort: otherPort, Protocol: inventory.ProtocolHTTP}),
	} {
		w[e.Ref()] = e
	}
	edit := []catalog.Change{catalog.Set(service("x", netip.Addr{}, inventory.Port{Name: "p83", Number: 83, TargetPort: otherPort, Protocol: inventory.ProtocolTCP}))}
	s := &step{
		edit: edit, before: newOracle(w), after: newOracle(w.with(edit)),
		requests: []Request{{Pod: 3, To: to, Method: "POST", Path: "/admin"}},
	}
	for seen, want := range map[string]bool{"p1:8081": true, "p4:8081": false, "403": false} {
		if got := s.fitsMixed(sample{seen: seen}); got != want {
			t.Errorf("%s is accepted in the intermediate state: %t, want %t", seen, got, want)
		}
	}
}

// TestMixed_AddressMovesToAnotherService reproduces a race of routes and grants: an edit grants a client a Service that shares its address with
// another one. The client's sidecar still routes to that one, and its server already grants the request.
func TestMixed_AddressMovesToAnotherService(t *testing.T) {
	to := netip.MustParseAddrPort("10.96.0.3:80")
	service := func(name, app string) *inventory.Service {
		return &inventory.Service{
			Name: entity.Name{Namespace: "a", Name: name}, ClusterIPs: []netip.Addr{to.Addr()}, Selector: map[string]string{"app": app},
			Ports: []inventory.Port{{Name: "p80", Number: 80, TargetPort: webPort, Protocol: inventory.ProtocolHTTP}},
		}
	}
	target := func(name, group string, destination identity.ServiceAccount) *catalog.TrafficTarget {
		return &catalog.TrafficTarget{
			Name: entity.Name{Namespace: "a", Name: name}, Destination: destination, Sources: accounts[2:],
			Rules: []catalog.TargetRule{{Kind: entity.KindHTTPRouteGroup, Name: group}},
		}
	}
	group := func(name, method string) *catalog.HTTPRouteGroup {
		return &catalog.HTTPRouteGroup{
			Name: entity.Name{Namespace: "a", Name: name}, Matches: []catalog.HTTPMatch{{Name: "m0", PathRegex: ".*", Methods: []string{method}}},
		}
	}
	w := podsOnly()
	for i, app := range []string{"y", "x", "x", "y"} {
		p := newPod(i, app, ready)
		w[p.Ref()] = p
	}
	for _, e := range []catalog.Entry{
		&catalog.Settings{}, service("s3", "y"), service("s4", "x"), group("posts", "POST"),
		target("one", "gets", accounts[0]), target("two", "posts", accounts[1]),
	} {
		w[e.Ref()] = e
	}
	requireMixed(t, w, catalog.Set(group("gets", "GET")), Request{Pod: 3, To: to, Method: "GET", Path: "/"}, map[string]bool{"p3:8080": true, "p4:8080": false})
}

// TestMixed_ServerKeepsEarlierProtocol reproduces another race: the port of a Service becomes HTTP, and the server's sidecar still grants TCP.
func TestMixed_ServerKeepsEarlierProtocol(t *testing.T) {
	to := netip.MustParseAddrPort("10.96.0.3:80")
	edit := catalog.Set(serviceOfProtocol(80, inventory.ProtocolHTTP, to.Addr()))
	w := stateOfProtocol(serviceOfProtocol(83, inventory.ProtocolTCP, to.Addr()))
	requireMixed(t, w, edit, Request{Pod: 1, To: to, Method: "POST", Path: "/a"}, map[string]bool{"p3:8081": true, "p4:8081": false})
	earlier := netip.AddrPortFrom(to.Addr(), 83)
	requireMixed(t, w, edit, Request{Pod: 1, To: earlier, Method: "GET", Path: "/1%00"}, map[string]bool{"400": true, "200": false})
}

// TestMixed_HeadlessServiceGetsAnAddress is the same race with an address that the Service did not have before, and the reverse.
func TestMixed_HeadlessServiceGetsAnAddress(t *testing.T) {
	to := netip.MustParseAddrPort("10.96.0.3:80")
	headless, addressed := serviceOfProtocol(83, inventory.ProtocolTCP), serviceOfProtocol(80, inventory.ProtocolHTTP, to.Addr())
	r := Request{Pod: 1, To: to, Method: "POST", Path: "/a"}
	requireMixed(t, stateOfProtocol(headless), catalog.Set(addressed), r, map[string]bool{"p3:8081": true, "p4:8081": false})
	requireMixed(t, stateOfProtocol(addressed), catalog.Set(headless), r, map[string]bool{"p3:8081": true, "p4:8081": false})
}

// TestMixed_ServiceWithATCPRouteBecomesHTTP is an observed race: the client's sidecar has the port with HTTP, which the TCPRoute of its connections does not
// concern, and the server's sidecar still grants TCP.
func TestMixed_ServiceWithATCPRouteBecomesHTTP(t *testing.T) {
	to := netip.MustParseAddrPort("10.96.0.3:80")
	w := stateOfProtocol(serviceOfProtocol(80, inventory.ProtocolTCP))
	route := &catalog.HTTPRoute{
		Kind: entity.KindGatewayTCPRoute, Name: entity.Name{Namespace: "a", Name: "elsewhere"},
		Parents: []catalog.RouteParent{{Service: entity.Name{Namespace: "a", Name: "s3"}, Port: to.Port()}},
		Rules: []catalog.HTTPRouteRule{{
			Matches:  []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: "/"}},
			Backends: []catalog.RouteBackend{{Service: entity.Name{Namespace: "a", Name: "none"}, Port: to.Port(), Weight: 1}},
		}},
	}
	w[route.Ref()] = route
	r := Request{Pod: 1, To: to, Method: "POST", Path: "/a"}
	requireMixed(t, w, catalog.Set(serviceOfProtocol(80, inventory.ProtocolHTTP, to.Addr())), r, map[string]bool{"p3:8081": true, "p4:8081": false})
}

// TestMixed_EverythingOutsideIsOpenedWithEgresses is an observed race: a sidecar passes all connections through before it has the listener of an Egress, if both
// come with one edit.
func TestMixed_EverythingOutsideIsOpenedWithEgresses(t *testing.T) {
	host := netip.AddrPortFrom(outsideAddresses[0], 8090)
	w := podsOnly()
	for _, e := range []catalog.Entry{
		&catalog.Settings{},
		&catalog.Egress{
			Name: entity.Name{Namespace: "a", Name: "e"}, Sources: accounts[1:2], Hosts: []string{host.Addr().String()}, Restricted: true, RouteGroups: []string{"g1"},
			Prefixes: []netip.Prefix{netip.PrefixFrom(host.Addr(), 32)}, Ports: []catalog.EgressPort{{Number: host.Port(), Protocol: "http"}},
		},
	} {
		w[e.Ref()] = e
	}
	r := Request{Pod: 1, To: host, Method: "GET", Path: "/1#", Headers: []authz.Header{{Name: ":authority", Value: host.String()}}}
	requireMixed(t, w, catalog.Set(&catalog.Settings{Egress: true, EgressPolicies: true}), r, map[string]bool{host.String(): true, "403": false})
	w[entity.Ref{Kind: entity.KindSettings}] = &catalog.Settings{EgressPolicies: true}
	requireMixed(t, w, catalog.Set(&catalog.Settings{Egress: true, EgressPolicies: true}), r, map[string]bool{host.String(): false})
}

// serviceOfProtocol returns a Service of the third pod.
func serviceOfProtocol(number uint16, protocol inventory.Protocol, addresses ...netip.Addr) *inventory.Service {
	return &inventory.Service{
		Name: entity.Name{Namespace: "a", Name: "s3"}, ClusterIPs: addresses, Selector: map[string]string{"app": "x"},
		Ports: []inventory.Port{{Name: "p", Number: number, TargetPort: otherPort, Protocol: protocol}},
	}
}

// stateOfProtocol returns a state in which the second account may send /b to the Service over HTTP, and everything over TCP.
func stateOfProtocol(service *inventory.Service) State {
	w := podsOnly()
	for _, e := range []catalog.Entry{
		newPod(2, "x", ready), &catalog.Settings{}, service,
		&catalog.HTTPRouteGroup{Name: entity.Name{Namespace: "a", Name: "g"}, Matches: []catalog.HTTPMatch{{Name: "m", PathRegex: "/b"}}},
		&catalog.TCPRoute{Name: entity.Name{Namespace: "a", Name: "r"}},
		&catalog.TrafficTarget{
			Name: entity.Name{Namespace: "a", Name: "t"}, Destination: accounts[0], Sources: accounts[1:2],
			Rules: []catalog.TargetRule{{Kind: entity.KindHTTPRouteGroup, Name: "g"}, {Kind: entity.KindTCPRoute, Name: "r"}},
		},
	} {
		w[e.Ref()] = e
	}
	return w
}

// requireMixed requires which observations are accepted in an intermediate state of an edit.
func requireMixed(t *testing.T, w State, change catalog.Change, r Request, accepted map[string]bool) {
	t.Helper()
	edit := []catalog.Change{change}
	s := &step{edit: edit, before: newOracle(w), after: newOracle(w.with(edit)), requests: []Request{r}}
	for seen, want := range accepted {
		if got := s.fitsMixed(sample{seen: seen}); got != want {
			t.Errorf("%s is accepted: %t, want %t; before: %s; after: %s", seen, got, want, s.before.expect(r), s.after.expect(r))
		}
	}
}
