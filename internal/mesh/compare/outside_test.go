package compare

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// outsideMesh has a Service that an ingress gateway may call, and a client of servers outside the mesh.
func outsideMesh() []catalog.Entry {
	web := Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	web.Ports[0].TargetPort = 8080
	server := Pod("shop", "web-1", "web", "web", "10.0.0.1")
	return []catalog.Entry{
		&catalog.Settings{Namespace: "osm-system", IngressBackends: true, EgressPolicies: true}, &catalog.Namespace{Name: "shop", Monitored: true},
		web, server, Slice(web.Name, server), Group("shop", "cart", "/cart"), Group("shop", "all", "/.*"),
		&catalog.GatewayClass{Name: "osm"},
		&inventory.Service{Name: Name("osm-system", names.IngressGateway), Ports: []inventory.Port{{Number: 80, TargetPort: 10080}}},
		&catalog.Gateway{Name: Name("shop", "web"), Class: "osm", Listeners: []catalog.GatewayListener{{Name: "http", Port: 80, Protocol: "HTTP", From: "Same"}}},
	}
}

func ingressTo(change func(*ingressbackend.Policy)) catalog.Change {
	b := &ingressbackend.Policy{
		Name: Name("shop", "web"), Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Backends: []ingressbackend.Port{{Service: Name("shop", "web"), TargetPort: 8080}},
	}
	change(b)
	return catalog.Set(b)
}

func egressTo(change func(*catalog.Egress)) catalog.Change {
	e := &catalog.Egress{
		Name: Name("shop", "api"), Sources: []identity.ServiceAccount{SA("shop", "web")}, Hosts: []string{"api.example.com"},
		Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
	}
	change(e)
	return catalog.Set(e)
}

func routeTo(path string, filters catalog.RouteFilters) catalog.Change {
	return catalog.Set(&catalog.HTTPRoute{
		Kind: entity.KindHTTPRoute,
		Name: Name("shop", "web"), Parents: []catalog.RouteParent{{Gateway: Name("shop", "web")}}, Hostnames: []string{"shop.example.com"},
		Rules: []catalog.HTTPRouteRule{{
			Matches:  []catalog.RouteMatch{{PathType: "PathPrefix", Path: path}},
			Backends: []catalog.RouteBackend{{Service: Name("shop", "web"), Port: 80, Weight: 1}}, Filters: filters,
		}},
	})
}

// TestPlanOfOutsideFlows edits the policies of clients and servers outside the mesh. The plan contains exactly the flows whose access changes.
func TestPlanOfOutsideFlows(t *testing.T) {
	same := func(*ingressbackend.Policy) {}
	mayCall := catalog.Set(Target("gateway", SA("shop", "web"), []catalog.TargetRule{HTTP("cart")}, SA("osm-system", names.IngressGateway)))
	noEgress := catalog.Set(&catalog.Settings{Namespace: "osm-system", IngressBackends: true, EgressPolicies: true, Egress: true})
	for name, test := range map[string]struct {
		before, edit []catalog.Change
		want         []string
	}{
		"ingress opens": {
			nil,
			[]catalog.Change{ingressTo(same)},
			[]string{"outside the mesh, 192.0.2.0/24 -> shop/web:80: any method any path denied -> allowed by [IngressBackend shop/web]"},
		},
		"ingress closes": {
			[]catalog.Change{ingressTo(same)},
			[]catalog.Change{{Ref: entity.Ref{Kind: ingressbackend.Kind, Name: Name("shop", "web")}}},
			[]string{"outside the mesh, 192.0.2.0/24 -> shop/web:80: any method any path allowed -> denied by [IngressBackend shop/web], the connection is closed"},
		},
		"ingress is limited to requests": {
			[]catalog.Change{ingressTo(same)},
			[]catalog.Change{ingressTo(func(b *ingressbackend.Policy) { b.RouteGroups = []string{"cart"} })},
			[]string{"outside the mesh, 192.0.2.0/24 -> shop/web:80: any method any path allowed -> denied by [IngressBackend shop/web], status 404"},
		},
		"ingress from a part of the range": {
			[]catalog.Change{ingressTo(same)},
			[]catalog.Change{ingressTo(func(b *ingressbackend.Policy) { b.Prefixes = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/28")} })},
			[]string{"outside the mesh, 192.0.2.0/24 -> shop/web:80: any method any path allowed -> denied by [IngressBackend shop/web], the connection is closed"},
		},
		"ingress with certificates": {
			[]catalog.Change{ingressTo(same)},
			[]catalog.Change{ingressTo(func(b *ingressbackend.Policy) { b.Backends[0].TLS, b.Principals = true, []string{"edge.example.com"} })},
			[]string{
				"outside the mesh, 192.0.2.0/24 -> shop/web:80: any method any path allowed -> denied by [IngressBackend shop/web], the connection is closed",
				"outside the mesh, 192.0.2.0/24, with TLS as edge.example.com -> shop/web:80: any method any path denied -> allowed by [IngressBackend shop/web]",
			},
		},
		"the same ingress by another policy": {
			[]catalog.Change{ingressTo(same)},
			[]catalog.Change{
				ingressTo(func(b *ingressbackend.Policy) { b.Name.Name = "other" }),
				{Ref: entity.Ref{Kind: ingressbackend.Kind, Name: Name("shop", "web")}},
			},
			nil,
		},
		"egress opens": {
			nil,
			[]catalog.Change{egressTo(func(e *catalog.Egress) {
				e.Restricted, e.RouteGroups = true, []string{"cart"}
				e.Ports = append(e.Ports, catalog.EgressPort{Number: 443, Protocol: catalog.ProtocolHTTPS}, catalog.EgressPort{Number: 5432, Protocol: inventory.ProtocolTCP})
			})},
			[]string{
				"shop/web -> 0.0.0.0/0 port 5432, outside the mesh: connections denied -> allowed by [Egress shop/api]",
				"shop/web -> ::/0 port 5432, outside the mesh: connections denied -> allowed by [Egress shop/api]",
				"shop/web -> api.example.com:443, outside the mesh: TLS connections denied -> allowed by [Egress shop/api]",
				"shop/web -> api.example.com:80, outside the mesh: any method /cart denied -> allowed by [Egress shop/api]",
			},
		},
		"egress of a smaller range": {
			[]catalog.Change{egressTo(func(e *catalog.Egress) {
				e.Ports, e.Prefixes = []catalog.EgressPort{{Number: 5432, Protocol: inventory.ProtocolTCP}}, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
			})},
			[]catalog.Change{egressTo(func(e *catalog.Egress) {
				e.Ports, e.Prefixes = []catalog.EgressPort{{Number: 5432, Protocol: inventory.ProtocolTCP}}, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/25")}
			})},
			[]string{"shop/web -> 192.0.2.0/24 port 5432, outside the mesh: connections allowed -> denied by [Egress shop/api], the connection is closed"},
		},
		"egress where all of it is open": {[]catalog.Change{noEgress}, []catalog.Change{egressTo(func(*catalog.Egress) {})}, nil},
		"a namespace that requires the gateway": {
			[]catalog.Change{noEgress, egressTo(func(e *catalog.Egress) {
				e.Ports = append(e.Ports, catalog.EgressPort{Number: 5432, Protocol: inventory.ProtocolTCP})
			})},
			[]catalog.Change{catalog.Set(&catalog.Namespace{Name: "shop", Monitored: true, EgressGateway: true})},
			[]string{
				"shop/web -> 0.0.0.0/0 port 5432, outside the mesh: connections allowed -> denied by [Egress shop/api], the connection is closed",
				"shop/web -> ::/0 port 5432, outside the mesh: connections allowed -> denied by [Egress shop/api], the connection is closed",
				"shop/web -> destinations outside the mesh: connections that no Egress allows allowed -> denied by [the annotation openservicemesh.io/egress-gateway of namespace shop]",
			},
		},
		"a route without a TrafficTarget": {nil, []catalog.Change{routeTo("/", catalog.RouteFilters{})}, nil},
		"a route": {
			[]catalog.Change{mayCall},
			[]catalog.Change{routeTo("/cart", catalog.RouteFilters{})},
			[]string{"outside the mesh -> http://shop.example.com:80: any method /cart(/.*)? denied -> allowed by [listener http of Gateway shop/web TrafficTarget shop/gateway]"},
		},
		"a route at a Gateway with pods of its own": {
			[]catalog.Change{mayCall, catalog.Set(&catalog.GatewayClass{Name: "osm", PerGateway: true})},
			[]catalog.Change{routeTo("/cart", catalog.RouteFilters{})},
			[]string{"outside the mesh -> http://shop.example.com:80 at Gateway shop/web: any method /cart(/.*)? denied -> allowed by [listener http of Gateway shop/web TrafficTarget shop/gateway]"},
		},
		"a route that changes the path": {
			[]catalog.Change{mayCall},
			[]catalog.Change{routeTo("/old", catalog.RouteFilters{Rewrite: &catalog.RouteRewrite{Path: &catalog.PathEdit{Prefix: true, Value: "/cart"}}})},
			[]string{"outside the mesh -> http://shop.example.com:80: any method /old(/.*)? denied -> allowed by [listener http of Gateway shop/web TrafficTarget shop/gateway]"},
		},
		"the permission of the gateway": {
			[]catalog.Change{mayCall, routeTo("/cart", catalog.RouteFilters{})},
			[]catalog.Change{{Ref: mayCall.Ref}},
			[]string{
				"osm-system/osm-ingress-gateway -> shop/web:80: any method /cart allowed -> denied by [TrafficTarget shop/gateway (HTTPRouteGroup cart, match /cart)], the connection fails",
				"outside the mesh -> http://shop.example.com:80: any method /cart(/.*)? allowed -> denied by [listener http of Gateway shop/web TrafficTarget shop/gateway], status 403",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := Mesh{Catalog: catalog.New(), Entries: map[entity.Ref]catalog.Entry{}}
			for _, entry := range outsideMesh() {
				apply(before, []catalog.Change{catalog.Set(entry)})
			}
			apply(before, test.before)
			after := before.clone()
			touched := apply(after, test.edit)
			found, err := Meshes(Subject{TrustDomain: "cluster.local"}, before, after, touched)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found.Flows {
				text := fmt.Sprintf("%s -> %s: %s %s -> %s by %v", f.From, f.To, f.Request, f.Before, f.After, f.By)
				if f.Seen != "" {
					text += ", " + f.Seen
				}
				got = append(got, text)
			}
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
