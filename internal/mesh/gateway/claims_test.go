package gateway_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

// neighbour returns a Gateway of another namespace than that of gatewayOf.
func neighbour(name string, listeners ...catalog.GatewayListener) *catalog.Gateway {
	g := gatewayOf(name, listeners...)
	g.Name.Namespace = other
	return g
}

// claimed returns a listener that is accepted since a time.
func claimed(l catalog.GatewayListener, at int64) catalog.GatewayListener {
	l.Claimed = time.Unix(at, 0)
	return l
}

// neighbourRoute is a route of the namespace of neighbour for one of its Gateways.
func neighbourRoute(name, parent string, hostnames ...string) *catalog.HTTPRoute {
	r := route(other, name, hostnames, rule("/", to(other)))
	r.Parents[0].Gateway = entity.Name{Namespace: other, Name: parent}
	return r
}

// TestHostsInServiceCannotBeTakenOver has a Gateway of another namespace, which is older, and asks for what the listener "web" has.
func TestHostsInServiceCannotBeTakenOver(t *testing.T) {
	tls := entity.Name{Namespace: shop, Name: "tls"}
	remote := entity.Name{Namespace: other, Name: "tls"}
	onPort := func(l catalog.GatewayListener, port uint16) catalog.GatewayListener { l.Port = port; return l }
	for name, test := range map[string]struct {
		victim catalog.GatewayListener
		host   []string
		other  catalog.GatewayListener
		want   string
	}{
		"the same host":                            {claimed(http("a", "a.example"), 5), nil, http("b", "a.example"), "HostnameConflict"},
		"an equal claim that is younger":           {claimed(http("a", "a.example"), 5), nil, claimed(http("b", "a.example"), 6), "HostnameConflict"},
		"a host of a route":                        {claimed(http("a", ""), 5), []string{"a.example"}, http("b", "a.example"), "HostnameConflict"},
		"a host of a route, TLS":                   {claimed(https("a", "", tls), 5), []string{"a.example"}, https("b", "a.example", remote), "HostnameConflict"},
		"a host of a route of a wildcard":          {claimed(https("a", "*.example", tls), 5), []string{"a.example"}, https("b", "a.example", remote), "HostnameConflict"},
		"a wildcard for a host of a route":         {claimed(http("a", ""), 5), []string{"a.example"}, http("b", "*.example"), "HostnameConflict"},
		"a host below a wildcard of a route":       {claimed(http("a", ""), 5), []string{"*.example"}, http("b", "a.b.example"), "HostnameConflict"},
		"a host below a wildcard with a route":     {claimed(http("a", "*.example"), 5), nil, http("b", "a.example"), "HostnameConflict"},
		"another protocol":                         {claimed(https("a", "a.example", tls), 5), nil, onPort(http("b", "b.example"), 443), "ProtocolConflict"},
		"a host beside that of a route":            {claimed(http("a", ""), 5), []string{"a.example"}, http("b", "b.example"), "Accepted"},
		"a host with the end of another one":       {claimed(http("a", ""), 5), []string{"a.example"}, http("b", "aa.example"), "Accepted"},
		"a host that has all others":               {claimed(http("a", ""), 5), nil, http("b", "b.example"), "Accepted"},
		"a less specific host":                     {claimed(http("a", "a.example"), 5), nil, http("b", "*.example"), "Accepted"},
		"a more specific host that it has already": {claimed(http("a", ""), 5), []string{"a.example"}, claimed(http("b", "a.example"), 6), "Accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			web, older := gatewayOf("web", test.victim), neighbour("older", test.other)
			web.Created, older.Created = time.Unix(2, 0), time.Unix(1, 0)
			result := gateway.Resolve(mesh(older, web, route(shop, "r", test.host, rule("/", to(shop))), neighbourRoute("r", "older")))
			if got := result.Gateways[1].Listeners[0].Accepted; !got.OK {
				t.Errorf("the listener that had the host first has %+v", got)
			}
			got := result.Gateways[0].Listeners[0].Accepted
			if got.Reason != test.want || !got.OK && !strings.Contains(got.Message, "Gateway shop/web") {
				t.Errorf("%+v, want %s", got, test.want)
			}
		})
	}
}

// TestOnlyAllowedNamespacesHaveGateways checks that Gateways of other namespaces are not served, and that their Secrets are not read.
func TestOnlyAllowedNamespacesHaveGateways(t *testing.T) {
	class := &catalog.GatewayClass{Name: "osm", Namespaces: []string{shop}}
	v := mesh(class, gatewayOf("web", https("a", "", entity.Name{Namespace: shop, Name: "tls"})),
		neighbour("g", claimed(https("b", "b.example", entity.Name{Namespace: other, Name: "tls"}), 1)))
	result := gateway.Resolve(v)
	if got := result.Gateways[0]; got.Accepted.OK || got.Listeners[0].Accepted.Reason != "NamespaceNotAllowed" || got.Listeners[0].Claim != "" {
		t.Errorf("the Gateway of another namespace has %+v", got)
	}
	if !result.Gateways[1].Listeners[0].Served {
		t.Errorf("the Gateway of an allowed namespace has %+v", result.Gateways[1])
	}
	if got := fmt.Sprint(gateway.Certificates(v)); got != "[shop/tls]" {
		t.Errorf("Secrets %s are read", got)
	}
}

// TestMoreSpecificHostOfTheSameNamespace checks that a namespace may divide its own hosts among its Gateways.
func TestMoreSpecificHostOfTheSameNamespace(t *testing.T) {
	result := gateway.Resolve(mesh(gatewayOf("web", claimed(http("a", ""), 5)), gatewayOf("young", http("b", "a.example")),
		route(shop, "r", []string{"a.example"}, rule("/", to(shop)))))
	for _, g := range result.Gateways {
		if !g.Listeners[0].Accepted.OK {
			t.Errorf("Gateway %s has %+v", g.Gateway.Name, g.Listeners[0].Accepted)
		}
	}
}

// TestRouteWhoseHostAnotherNamespaceServes checks that the status of a route names the listener that gets its requests.
func TestRouteWhoseHostAnotherNamespaceServes(t *testing.T) {
	older := neighbour("older", claimed(http("b", "a.example"), 1))
	result := gateway.Resolve(mesh(older, gatewayOf("web", claimed(http("a", ""), 5)), route(shop, "r", []string{"a.example", "b.example"}, rule("/", to(shop))),
		route(shop, "s", []string{"b.example"}, rule("/", to(shop)))))
	if got := statusOf(t, result, "r"); !got.OK || got.Message != "Requests for a.example go to the listener b of Gateway other/older, which had this host first." {
		t.Errorf("the route has %+v", got)
	}
	if got := statusOf(t, result, "s"); !got.OK || got.Message != "" {
		t.Errorf("a route without this host has %+v", got)
	}
}

// TestClaimsOutliveAMissingPort checks that a listener keeps its claim while the gateway has no such port, and that others have none.
func TestClaimsOutliveAMissingPort(t *testing.T) {
	missing := claimed(http("missing", "m.example"), 5)
	missing.Port = 8080
	fresh := http("fresh", "f.example")
	fresh.Port = 8080
	result := gateway.Resolve(mesh(gatewayOf("web", missing, fresh, http("accepted", "a.example"), http("twice", "a.example"))))
	var got []string
	for _, l := range result.Gateways[0].Listeners {
		got = append(got, l.Name+"="+l.Claim)
	}
	if want := `[missing=HTTP on port 8080 for m.example fresh= accepted=HTTP on port 80 for a.example twice=]`; fmt.Sprint(got) != want {
		t.Errorf("claims\n%v\nwant\n%s", got, want)
	}
}

// probes are names that clients request.
var probes = []string{"a.example", "b.example", "a.b.example", "b.b.example", "c.test", "a.c.test"}

// hostnames are those that listeners and routes draw from.
var hostnames = []string{"", "*.example", "a.example", "b.example", "*.b.example", "a.b.example", "c.test", "*.c.test"}

// server describes which Gateway serves a name on a port, and its Services; empty if nobody does, or only the host for all others.
func server(result gateway.Result, port uint16, name string) string {
	best, serves := -1, ""
	for _, l := range result.Listeners {
		for _, host := range l.Hosts {
			// With TLS the hostname of the listener decides first.
			rank := specificity(host.Domain)
			if l.TLS {
				rank += 100 * specificity(l.Hostname)
			}
			if l.Port != port || !covers(l.Hostname, name) || !covers(host.Domain, name) || rank <= best {
				continue
			}
			best, serves = rank, ""
			if host.Domain != "*" && len(host.Rules) > 0 {
				serves = fmt.Sprint(l.Gateway, host.Rules[0].Backends[0].Service.Name)
			}
		}
	}
	return serves
}

// specificity orders the hostnames that cover one name: the name itself is before each wildcard.
func specificity(hostname string) int { return len(strings.TrimPrefix(hostname, "*")) }

func covers(hostname, name string) bool {
	suffix, wildcard := strings.CutPrefix(hostname, "*")
	return hostname == "" || hostname == "*" || hostname == name || wildcard && strings.HasSuffix(name, suffix)
}

// withClaims records the claims as the status of Gateways does.
func withClaims(result gateway.Result, now int64) {
	for _, g := range result.Gateways {
		for i := range g.Listeners {
			l := &g.Gateway.Listeners[i]
			switch {
			case g.Listeners[i].Claim == "":
				l.Claimed = time.Time{}
			case l.Claimed.IsZero():
				l.Claimed = time.Unix(now, 0)
			}
		}
	}
}

// drawListener draws a listener for the Gateway of a namespace.
func drawListener(r *rand.Rand, name, namespace string) catalog.GatewayListener {
	hostname := hostnames[r.IntN(len(hostnames))]
	l := http(name, hostname)
	if r.IntN(2) == 0 {
		l = https(name, hostname, entity.Name{Namespace: namespace, Name: "tls"})
	}
	if r.IntN(8) == 0 {
		l.Port = 80 + 443 - l.Port
	}
	return l
}

// drawHosts draws the hostnames of a route.
func drawHosts(r *rand.Rand) []string {
	var hosts []string
	for range r.IntN(3) {
		hosts = append(hosts, hostnames[1+r.IntN(len(hostnames)-1)])
	}
	return hosts
}

// tenant are the Gateways and routes of a namespace.
type tenant struct {
	gateways []*catalog.Gateway
	routes   []*catalog.HTTPRoute
}

func (x *tenant) entries() []catalog.Entry {
	var all []catalog.Entry
	for _, g := range x.gateways {
		copied := *g
		copied.Listeners = slices.Clone(g.Listeners)
		all = append(all, &copied)
	}
	for _, r := range x.routes {
		all = append(all, r)
	}
	return all
}

// edit changes an object of the neighbour. An edited listener keeps its claim only if what it claims stays, as in its status.
func (x *tenant) edit(r *rand.Rand) {
	g := x.gateways[r.IntN(len(x.gateways))]
	switch i := r.IntN(len(g.Listeners) + 1); {
	case r.IntN(3) == 0:
		x.routes[r.IntN(len(x.routes))].Hostnames = drawHosts(r)
	case i == len(g.Listeners):
		g.Listeners = append(g.Listeners, drawListener(r, fmt.Sprint("l", r.IntN(1000)), other))
	case r.IntN(3) == 0:
		g.Listeners = slices.Delete(g.Listeners, i, i+1)
	default:
		edited := drawListener(r, g.Listeners[i].Name, other)
		if edited.Claim() == g.Listeners[i].Claim() {
			edited.Claimed = g.Listeners[i].Claimed
		}
		g.Listeners[i] = edited
	}
}

// TestNeighboursNeverTakeHostsInService edits the Gateways and routes of one namespace at random: names that another namespace serves keep
// their backends. Some Gateways of the neighbour are older, and had listeners before.
func TestNeighboursNeverTakeHostsInService(t *testing.T) {
	served := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		victim := tenant{gateways: []*catalog.Gateway{gatewayOf("web", drawListener(r, "a", shop), drawListener(r, "b", shop))}}
		victim.gateways[0].Created = time.Unix(10, 0)
		for i := range 3 {
			victim.routes = append(victim.routes, route(shop, fmt.Sprint("r", i), drawHosts(r), rule("/", to(shop))))
		}
		var attacker tenant
		for i, created := range []int64{5, 20} {
			g := neighbour(fmt.Sprint("g", i), drawListener(r, "a", other))
			g.Created = time.Unix(created, 0)
			attacker.gateways = append(attacker.gateways, g)
			attacker.routes = append(attacker.routes, neighbourRoute(fmt.Sprint("r", i), fmt.Sprint("g", i), drawHosts(r)...))
		}
		resolve := func(now int64) gateway.Result {
			result := gateway.Resolve(mesh(append(victim.entries(), attacker.entries()...)...))
			withClaims(result, now)
			for _, status := range result.Gateways {
				for _, g := range append(slices.Clone(victim.gateways), attacker.gateways...) {
					if g.Name == status.Gateway.Name {
						g.Listeners = status.Gateway.Listeners
					}
				}
			}
			return result
		}
		before := resolve(100)
		for step := range int64(20) {
			attacker.edit(r)
			after := resolve(101 + step)
			for _, port := range []uint16{80, 443} {
				for _, name := range probes {
					had := server(before, port, name)
					if !strings.HasPrefix(had, shop+"/") {
						continue
					}
					served++
					if has := server(after, port, name); has != had {
						t.Fatalf("seed %d, step %d: %s on port %d was served by %s, and now by %q", seed, step, name, port, had, has)
					}
				}
			}
		}
	}
	if served < 1000 {
		t.Errorf("only %d names in service were compared", served)
	}
}
