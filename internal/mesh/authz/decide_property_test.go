package authz

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// anyCatalog is a mesh in which some clients may call some Services, after a few random changes. Random entries alone hardly ever allow a request.
var anyCatalog = rapid.Custom(func(t *rapid.T) *catalog.Catalog {
	one, two := meshtest.Pod("a", "one", "one", "one", "10.1.0.1"), meshtest.Pod("b", "two", "two", "two", "10.1.0.2")
	c := meshtest.Apply(
		&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Namespace{Name: "b", Monitored: true}, one, two,
		meshtest.Service("a", "one", "one", "10.96.1.1", 80, inventory.ProtocolHTTP), meshtest.Slice(meshtest.Name("a", "one"), one),
		meshtest.Service("b", "two", "two", "", 80, inventory.ProtocolTCP), meshtest.Slice(meshtest.Name("b", "two"), two),
		meshtest.Group("a", "one", "/x", "/y"), &catalog.TCPRoute{Name: meshtest.Name("b", "two"), Ports: []uint16{80}},
		meshtest.Target("one", one.Identity(), []catalog.TargetRule{meshtest.HTTP("one")}, meshtest.SA("a", "one"), meshtest.SA("b", "two")),
		meshtest.Target("two", two.Identity(), []catalog.TargetRule{meshtest.TCP("two")}, meshtest.SA("a", "three")),
	)
	c.Apply(rapid.SliceOfN(meshtest.Change(), 0, 30).Draw(t, "changes"))
	return c
})

var anyAccount = rapid.Custom(func(t *rapid.T) identity.ServiceAccount {
	return identity.ServiceAccount{
		Namespace: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "namespace"),
		Name:      rapid.SampledFrom([]string{"one", "two", "three"}).Draw(t, "name"),
	}
})

// requests returns one request to each port of each Service, and to each pod of headless Services.
func requests(v *catalog.View, source identity.ServiceAccount, path string) []Request {
	var list []Request
	for _, name := range v.Services() {
		service := v.Service(name)
		for _, port := range service.Ports {
			r := Request{Source: source, Service: name, Port: port.Number, Method: "GET", Path: path}
			if !service.Headless() {
				list = append(list, r)
				continue
			}
			for _, b := range v.Backends(service, port) {
				r.Pod = b.Address.Addr()
				list = append(list, r)
			}
		}
	}
	return list
}

// TestDecideAgreesWithMayConnect checks that a request to a Service without splits and routes is connectable exactly if the client may connect to an
// identity behind it.
func TestDecideAgreesWithMayConnect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, source := anyCatalog.Draw(t, "catalog").View(), anyAccount.Draw(t, "source")
		for _, r := range requests(v, source, rapid.SampledFrom([]string{"/x", "/x#y"}).Draw(t, "path")) {
			service := v.Service(r.Service)
			port, _ := portOf(service, r.Port)
			if v.Split(r.Service) != nil || len(v.MatchingSplits(r.Service)) > 0 || len(v.ServiceRoutes(source.Namespace, r.Service, port)) > 0 {
				continue
			}
			target := v.TargetPort(service, port)
			want := target != 0 && slices.ContainsFunc(v.ServiceIdentities(r.Service), func(sa identity.ServiceAccount) bool {
				return MayConnect(v, source, sa, target, EffectiveProtocol(v, service, port))
			})
			if got := Decide(v, r); got.Connectable() != want {
				t.Fatalf("%+v = %+v, but the client may connect: %v", r, got, want)
			}
		}
	})
}

// TestEgressDecidesWithoutDestination checks that an Egress for the port of a Service without pods does not make the Service connectable.
func TestEgressDecidesWithoutDestination(t *testing.T) {
	c := meshtest.Apply(&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Settings{EgressPolicies: true},
		meshtest.Service("a", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP),
		&catalog.Egress{
			Name: meshtest.Name("a", "out"), Sources: []identity.ServiceAccount{meshtest.SA("a", "one")}, Hosts: []string{"example.com"},
			Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
		})
	got := Decide(c.View(), Request{Source: meshtest.SA("a", "one"), Service: meshtest.Name("a", "web"), Port: 80, Method: "GET", Path: "/x"})
	if !got.Always(NotFound) || got.Connectable() {
		t.Errorf("%+v, connectable %t; want status 404 from no destination", got, got.Connectable())
	}
}

// TestDecideAgreesWithInboundRules checks that verdicts agree with the rules of the server's sidecar.
func TestDecideAgreesWithInboundRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, source := anyCatalog.Draw(t, "catalog").View(), anyAccount.Draw(t, "source")
		path := rapid.SampledFrom([]string{"/x", "/y", "/z", "//y", "/x/.."}).Draw(t, "path")
		for _, r := range requests(v, source, path) {
			for _, a := range Decide(v, r).Answers {
				if a.Destination == (identity.ServiceAccount{}) || a.Route != "" {
					continue // a route may lead to another port
				}
				service := v.Service(a.Service)
				port, _ := portOf(service, r.Port)
				protocol := EffectiveProtocol(v, service, port)
				rules := InboundRules(v, a.Destination, v.TargetPort(service, port), protocol)
				if want := enforced(rules, protocol, r); a.Outcome != want {
					t.Fatalf("%+v = %+v, but the rules of the server's sidecar give %q\n%+v", r, a, want, rules)
				}
			}
		}
	})
}

// enforced evaluates the rules as a sidecar does: first the connection, then the routes that match, then their
// sources.
func enforced(rules Rules, protocol inventory.Protocol, r Request) Outcome {
	connects := rules.Permissive || slices.ContainsFunc(rules.Network, func(n NetworkRule) bool { return slices.Contains(n.Sources, r.Source) })
	if !connects {
		return Unavailable
	}
	if !protocol.IsHTTP() {
		return Allowed
	}
	m, err := serverMessage(r, false)
	if err != nil {
		return BadRequest
	}
	outcome := NotFound
	for _, route := range rules.Routes {
		if !m.matches(route.Match) {
			continue
		}
		if route.AnySource || slices.Contains(route.Sources, r.Source) {
			return Allowed
		}
		outcome = Forbidden
	}
	return outcome
}

// TestTrafficTargetRevokesNothing checks that an additional TrafficTarget revokes no permission.
func TestTrafficTargetRevokesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, source := anyCatalog.Draw(t, "catalog"), anyAccount.Draw(t, "source")
		before := map[candidate]bool{}
		all := requests(c.View(), source, "/x")
		for _, r := range all {
			for _, a := range Decide(c.View(), r).Answers {
				if a.Outcome == Allowed {
					before[candidate{service: a.Service, identity: a.Destination, port: r.Port}] = true
				}
			}
		}
		destination := anyAccount.Draw(t, "destination")
		rules := rapid.SliceOf(rapid.Custom(func(t *rapid.T) catalog.TargetRule {
			return catalog.TargetRule{
				Kind: rapid.SampledFrom([]entity.Kind{entity.KindHTTPRouteGroup, entity.KindTCPRoute}).Draw(t, "kind"),
				Name: rapid.SampledFrom([]string{"one", "two", "three"}).Draw(t, "rule"),
			}
		})).Draw(t, "rules")
		c.Apply([]catalog.Change{catalog.Set(meshtest.Target("added", destination, rules, anyAccount.Draw(t, "added source")))})
		for _, r := range all {
			for _, a := range Decide(c.View(), r).Answers {
				if a.Outcome == Allowed {
					delete(before, candidate{service: a.Service, identity: a.Destination, port: r.Port})
				}
			}
		}
		if len(before) > 0 {
			t.Fatalf("no longer allowed: %v", before)
		}
	})
}
