package compare

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestPlanOfGateway edits the certificates and the routes of a Gateway. The plan contains the pod of the ingress gateway.
func TestPlanOfGateway(t *testing.T) {
	in := func(name string) entity.Name { return entity.Name{Namespace: "shop", Name: name} }
	pod := &inventory.Instance{
		Name: entity.Name{Namespace: "osm-system", Name: "gateway-1"}, ID: "g", ServiceAccount: names.IngressGateway, Injected: true,
		Labels: map[string]string{names.AppLabel: names.IngressGateway},
	}
	gateway := func(certificates ...entity.Name) *catalog.Gateway {
		return &catalog.Gateway{Name: in("web"), Class: "osm", Listeners: []catalog.GatewayListener{
			{Name: "a", Port: 443, Protocol: "HTTPS", From: "Same", Terminate: true, Certificates: certificates},
		}}
	}
	certificate := func(name, chain string) *catalog.GatewayCertificate {
		return &catalog.GatewayCertificate{Name: in(name), ChainPEM: []byte(chain), KeyPEM: []byte("key")}
	}
	route := &catalog.HTTPRoute{Kind: entity.KindHTTPRoute, Name: in("r"), Parents: []catalog.RouteParent{{Gateway: in("web")}}, Rules: []catalog.HTTPRouteRule{{
		Matches: []catalog.RouteMatch{{PathType: "PathPrefix", Path: "/"}}, Filters: catalog.RouteFilters{Redirect: &catalog.RouteRedirect{Status: 302}},
	}}}
	for name, test := range map[string]struct {
		edit []catalog.Change
		want map[string]int
	}{
		"another certificate":  {[]catalog.Change{catalog.Set(gateway(in("one"), in("two")))}, map[string]int{"SDS": 1}},
		"a renewed one":        {[]catalog.Change{catalog.Set(certificate("one", "renewed"))}, map[string]int{"SDS": 1}},
		"a route":              {[]catalog.Change{catalog.Set(route)}, map[string]int{"RDS": 1}},
		"a Gateway of another": {[]catalog.Change{catalog.Set(&catalog.Gateway{Name: in("other"), Class: "other"})}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			before := Mesh{Catalog: catalog.New(), Entries: map[entity.Ref]catalog.Entry{}}
			for _, entry := range []catalog.Entry{
				&catalog.Settings{Namespace: "osm-system"}, &catalog.Namespace{Name: "shop", Monitored: true}, &catalog.GatewayClass{Name: "osm"}, pod,
				&inventory.Service{Name: entity.Name{Namespace: "osm-system", Name: names.IngressGateway}, Ports: []inventory.Port{{Number: 443, TargetPort: 10443}}},
				gateway(in("one")), certificate("one", "chain"), certificate("two", "chain"),
			} {
				apply(before, []catalog.Change{catalog.Set(entry)})
			}
			after := before.clone()
			touched := apply(after, test.edit)
			found, err := Meshes(Subject{TrustDomain: "cluster.local", Workloads: map[entity.Name]string{pod.Name: "Deployment osm-system/gateway"}}, before, after, touched)
			if err != nil {
				t.Fatal(err)
			}
			if test.want == nil {
				if len(found.Proxies) > 0 {
					t.Errorf("the plan has %+v", found.Proxies)
				}
				return
			}
			if len(found.Proxies) != 1 || found.Proxies[0].State != Changed {
				t.Fatalf("the plan has %+v, want the ingress gateway", found.Proxies)
			}
			for kind, count := range test.want {
				if r := found.Proxies[0].Resources; r.Added[kind]+r.Changed[kind] != count {
					t.Errorf("resources %+v, want %d of %s", r, count, kind)
				}
			}
		})
	}
}

// TestPlanOfADemandForCertificates checks that a plan has the requests that need a certificate from now on, or no more.
func TestPlanOfADemandForCertificates(t *testing.T) {
	in := func(name string) entity.Name { return entity.Name{Namespace: "shop", Name: name} }
	mesh := func(clients *catalog.ClientValidation) Mesh {
		m := Mesh{Catalog: catalog.New(), Entries: map[entity.Ref]catalog.Entry{}}
		for _, entry := range []catalog.Entry{
			&catalog.Settings{Namespace: "osm-system"}, &catalog.Namespace{Name: "shop", Monitored: true}, &catalog.GatewayClass{Name: "osm"},
			&inventory.Service{Name: entity.Name{Namespace: "osm-system", Name: names.IngressGateway}, Ports: []inventory.Port{{Number: 443, TargetPort: 10443}}},
			&catalog.GatewayCertificate{Name: in("tls"), ChainPEM: []byte("chain"), KeyPEM: []byte("key")}, &catalog.GatewayAuthorities{Name: in("ca"), PEM: []byte("ca")},
			&catalog.Gateway{Name: in("web"), Class: "osm", Listeners: []catalog.GatewayListener{
				{Name: "a", Port: 443, Protocol: "HTTPS", From: "Same", Terminate: true, Certificates: []entity.Name{in("tls")}, Clients: clients},
			}},
			&catalog.HTTPRoute{Kind: entity.KindHTTPRoute, Name: in("r"), Parents: []catalog.RouteParent{{Gateway: in("web")}}, Rules: []catalog.HTTPRouteRule{{
				Matches: []catalog.RouteMatch{{PathType: "PathPrefix", Path: "/"}}, Filters: catalog.RouteFilters{Redirect: &catalog.RouteRedirect{Status: 302}},
			}}},
		} {
			apply(m, []catalog.Change{catalog.Set(entry)})
		}
		return m
	}
	demand := &catalog.ClientValidation{Authorities: []entity.Name{in("ca")}}
	fallback := &catalog.ClientValidation{Authorities: demand.Authorities, AllowInvalid: true}
	for name, test := range map[string]struct {
		before, after *catalog.ClientValidation
		want          string
	}{
		"a new demand":     {nil, demand, "[https://*:443: allowed to denied]"},
		"a removed demand": {demand, nil, "[https://*:443: denied to allowed]"},
		"a fallback":       {demand, fallback, "[https://*:443: denied to allowed]"},
		"the same demand":  {demand, demand, "[]"},
		"no demand":        {nil, fallback, "[]"},
	} {
		f := newFlows(mesh(test.before), mesh(test.after))
		f.compareGateways()
		got := []string{}
		for _, flow := range f.list {
			got = append(got, fmt.Sprintf("%s: %s to %s", flow.To, flow.Before, flow.After))
		}
		if fmt.Sprint(got) != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// The pods of a gateway use its account, although their namespace is not part of the mesh.
func TestGatewayAccountIsUsed(t *testing.T) {
	mesh := Mesh{Catalog: catalog.New(), Entries: map[entity.Ref]catalog.Entry{}}
	pod := &inventory.Instance{
		Name: entity.Name{Namespace: "osm-system", Name: "gateway-1"}, ServiceAccount: names.IngressGateway, Injected: true, Labels: map[string]string{names.AppLabel: names.IngressGateway},
	}
	other := &inventory.Instance{Name: entity.Name{Namespace: "osm-system", Name: "controller-1"}, ServiceAccount: names.Controller}
	for _, entry := range []catalog.Entry{&catalog.Settings{Namespace: "osm-system"}, &catalog.Namespace{Name: "osm-system"}, pod, other} {
		apply(mesh, []catalog.Change{catalog.Set(entry)})
	}
	if f := newFlows(mesh, mesh); !f.running[pod.Identity()] || f.running[other.Identity()] {
		t.Errorf("the identities of the mesh are %v, want those of the gateway only", f.running)
	}
}

// TestPlanOfGatewayConnections edits the routes of connections at a Gateway. The plan has the connections that are newly accepted or closed.
func TestPlanOfGatewayConnections(t *testing.T) {
	in := func(name string) entity.Name { return entity.Name{Namespace: "shop", Name: name} }
	route := func(kind entity.Kind, name, listener, backend string, hostnames ...string) catalog.Change {
		return catalog.Set(&catalog.HTTPRoute{
			Kind: kind, Name: in(name), Hostnames: hostnames, Parents: []catalog.RouteParent{{Gateway: in("web"), Section: listener}}, Rules: []catalog.HTTPRouteRule{{
				Matches: []catalog.RouteMatch{{}}, Backends: []catalog.RouteBackend{{Service: in(backend), Port: 5432, Weight: 1}},
			}},
		})
	}
	tls, tcp := entity.KindTLSRoute, entity.KindGatewayTCPRoute
	// A route of the Service itself is for sidecars.
	ofSidecars := catalog.Set(&catalog.HTTPRoute{Kind: tcp, Name: in("s"), Parents: []catalog.RouteParent{{Service: in("db")}}, Rules: []catalog.HTTPRouteRule{{Matches: []catalog.RouteMatch{{}}}}})
	mayCall := catalog.Set(meshtest.Target("t", meshtest.SA("shop", "db"), []catalog.TargetRule{meshtest.TCP("all")}, meshtest.SA("osm-system", names.IngressGateway)))
	const by = " by [listener tls of Gateway shop/web TrafficTarget shop/t]"
	for name, test := range map[string]struct {
		before, edit []catalog.Change
		want         []string
	}{
		"a TLSRoute":                 {[]catalog.Change{mayCall}, []catalog.Change{route(tls, "r", "tls", "db", "a.example.com")}, []string{"tls://a.example.com:443 denied -> allowed" + by}},
		"without permission":         {nil, []catalog.Change{route(tls, "r", "tls", "db", "a.example.com")}, nil},
		"the permission":             {[]catalog.Change{route(tls, "r", "tls", "db", "a.example.com")}, []catalog.Change{mayCall}, []string{"tls://a.example.com:443 denied -> allowed" + by}},
		"a TCPRoute":                 {[]catalog.Change{mayCall}, []catalog.Change{route(tcp, "r", "tcp", "db")}, []string{"tcp://*:5432 denied -> allowed by [listener tcp of Gateway shop/web TrafficTarget shop/t]"}},
		"a backend without a server": {[]catalog.Change{mayCall, route(tcp, "r", "tcp", "db")}, []catalog.Change{route(tcp, "r", "tcp", "none")}, []string{"tcp://*:5432 allowed -> denied by [listener tcp of Gateway shop/web TrafficTarget shop/t]"}},
		"a name that a wildcard has": {
			[]catalog.Change{mayCall, route(tls, "r", "tls", "db", "*.example.com")}, []catalog.Change{route(tls, "one", "tls", "db", "a.example.com")}, nil,
		},
		"a name that a wildcard loses": {
			[]catalog.Change{mayCall, route(tls, "r", "tls", "db", "*.example.com")},
			[]catalog.Change{route(tls, "one", "tls", "none", "a.example.com")},
			[]string{"tls://a.example.com:443 allowed -> denied" + by},
		},
		"a route of sidecars": {[]catalog.Change{mayCall, route(tcp, "r", "tcp", "db")}, []catalog.Change{ofSidecars}, nil},
	} {
		db := meshtest.Pod("shop", "db-1", "db", "db", "10.0.0.1")
		before := Mesh{Catalog: catalog.New(), Entries: map[entity.Ref]catalog.Entry{}}
		for _, entry := range []catalog.Entry{
			&catalog.Settings{Namespace: "osm-system"}, &catalog.Namespace{Name: "shop", Monitored: true}, &catalog.GatewayClass{Name: "osm"},
			&inventory.Service{Name: entity.Name{Namespace: "osm-system", Name: names.IngressGateway}, Ports: []inventory.Port{{Number: 443, TargetPort: 10443}, {Number: 5432, TargetPort: 5432}}},
			&catalog.Gateway{Name: in("web"), Class: "osm", Listeners: []catalog.GatewayListener{
				{Name: "tls", Port: 443, Protocol: catalog.ListenerTLS, From: "Same"}, {Name: "tcp", Port: 5432, Protocol: catalog.ListenerTCP, From: "Same"},
			}},
			db, meshtest.Service("shop", "db", "db", "10.96.0.1", 5432, inventory.ProtocolTCP), meshtest.Slice(in("db"), db), &catalog.TCPRoute{Name: in("all")},
		} {
			apply(before, []catalog.Change{catalog.Set(entry)})
		}
		apply(before, test.before)
		after := before.clone()
		apply(after, test.edit)
		f := newFlows(before, after)
		f.compareGateways()
		var got []string
		for _, flow := range f.list {
			if flow.From != OutsideSource || flow.Request != "connections" {
				t.Errorf("%s: the flow is %+v", name, flow)
			}
			got = append(got, fmt.Sprintf("%s %s -> %s by %v", flow.To, flow.Before, flow.After, flow.By))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
