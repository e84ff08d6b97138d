package authz_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// egressMesh is a mesh in which ns/client may make some calls on ports 80 (requests), 443 (TLS), 5432 (bytes of a range) and 9000 (all of them).
func egressMesh(more ...catalog.Entry) *catalog.View {
	restricted := func(e *catalog.Egress) { e.Restricted, e.RouteGroups = true, []string{"get"} }
	return meshtest.Apply(append([]catalog.Entry{
		&catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "ns", Monitored: true},
		&catalog.HTTPRouteGroup{Name: meshtest.Name("ns", "get"), Matches: []catalog.HTTPMatch{{PathRegex: "/get.*", Methods: []string{"GET"}}}},
		outside("http", 1, on(port(80, inventory.ProtocolHTTP))),
		outside("get", 1, all(restricted, to("get.example.com"))),
		outside("https", 1, on(port(443, catalog.ProtocolHTTPS))),
		outside("names", 1, all(on(port(443, catalog.ProtocolHTTPS)), to("*.example.org", "one.example.net"), within("192.0.2.0/24"))),
		outside("anytls", 1, all(on(port(443, catalog.ProtocolHTTPS)), to(), within("203.0.113.0/24"))),
		outside("tcp", 1, all(on(port(5432, inventory.ProtocolTCP)), within("192.0.2.0/24"))),
		outside("all", 1, on(port(9000, inventory.ProtocolTCP))),
	}, more...)...).View()
}

func TestEgressCalls(t *testing.T) {
	http, https, tcp := inventory.ProtocolHTTP, catalog.ProtocolHTTPS, inventory.ProtocolTCP
	const inRange, inAnyTLS, outOfRange = "192.0.2.1", "203.0.113.1", "198.51.100.1"
	call := func(port uint16, protocol inventory.Protocol, host, address, path string) authz.EgressRequest {
		r := authz.EgressRequest{Source: meshtest.SA("ns", "client"), Port: port, Protocol: protocol, Host: host, Method: "GET", Path: path}
		if address != "" {
			r.Address = netip.MustParseAddr(address)
		}
		return r
	}
	for name, test := range map[string]struct {
		call    authz.EgressRequest
		want    authz.Outcome
		missing string
	}{
		"a host":                                   {call(80, http, "api.example.com", outOfRange, "/"), authz.Allowed, ""},
		"a host in upper case, with the port":      {call(80, http, "API.example.com:80", "", "/"), authz.Allowed, ""},
		"a host with another port":                 {call(80, http, "api.example.com:81", "", "/"), authz.NotFound, "an Egress in namespace ns from ns/client with the port 80, the protocol http, the host api.example.com:81, and requests such as GET /"},
		"a host of TLS with a port is another one": {call(443, https, "api.example.com:443", outOfRange, ""), authz.Reset, "the protocol https and the host api.example.com:443"},
		"TLS to a host of requests":                {call(80, https, "api.example.com", "", ""), authz.Reset, "https"},
		"a request to a host of TLS":               {call(443, http, "api.example.com", "", "/"), authz.Reset, "http"},
		"bytes to a host":                          {call(80, tcp, "api.example.com", inRange, ""), authz.Reset, "the port 80, the protocol tcp"},
		"a path that a match allows":               {call(80, http, "get.example.com", "", "/get?x"), authz.Allowed, ""},
		"a path that no match allows":              {call(80, http, "get.example.com", "", "/post"), authz.NotFound, "requests such as GET /post"},
		"an ambiguous path":                        {call(80, http, "get.example.com", "", "/get/../x"), authz.BadRequest, "in the same way"},
		"an ambiguous query":                       {call(80, http, "get.example.com", "", "/get?x=/../"), authz.Allowed, ""},
		"an ambiguous path to a host without rule": {call(80, http, "api.example.com", "", "/get/../x"), authz.Allowed, ""},
		"a server name":                            {call(443, https, "api.example.com", outOfRange, ""), authz.Allowed, ""},
		"a server name in upper case":              {call(443, https, "ONE.example.net", inRange, ""), authz.Allowed, ""},
		"a server name outside of its range":       {call(443, https, "one.example.net", outOfRange, ""), authz.Reset, "https"},
		"a server name without an address":         {call(443, https, "one.example.net", "", ""), authz.Reset, "https"},
		"a name in the domain":                     {call(443, https, "a.example.org", inRange, ""), authz.Allowed, ""},
		"the domain itself":                        {call(443, https, "example.org", inRange, ""), authz.Reset, "https"},
		"an empty name in the domain":              {call(443, https, ".example.org", inRange, ""), authz.Reset, "https"},
		"a name that ends like the domain":         {call(443, https, "a.badexample.org", inRange, ""), authz.Reset, "https"},
		"another server name":                      {call(443, https, "two.example.net", inRange, ""), authz.Reset, "https"},
		"any server name":                          {call(443, https, "two.example.net", inAnyTLS, ""), authz.Allowed, ""},
		"no server name":                           {call(443, https, "", inAnyTLS, ""), authz.Allowed, ""},
		"bytes instead of TLS":                     {call(443, tcp, "", inAnyTLS, ""), authz.Reset, "tcp"},
		"bytes in the range":                       {call(5432, tcp, "", inRange, ""), authz.Allowed, ""},
		"bytes to a mapped address":                {call(5432, tcp, "", "::ffff:192.0.2.1", ""), authz.Allowed, ""},
		"requests in the range":                    {call(5432, http, "x", inRange, "/#"), authz.Allowed, ""},
		"bytes outside of the range":               {call(5432, tcp, "", outOfRange, ""), authz.Reset, "tcp"},
		"a request on a port without requests":     {call(5432, http, "api.example.com", outOfRange, "/"), authz.Reset, "http"},
		"a port for all addresses":                 {call(9000, tcp, "", "", ""), authz.Allowed, ""},
		"a fragment in TLS":                        {call(80, https, "api.example.com", "", "/#"), authz.Reset, "https"},
		"a fragment in bytes":                      {call(443, http, "api.example.com", "", "/#"), authz.Reset, "http"},
		"another port":                             {call(22, tcp, "", inRange, ""), authz.Reset, "the port 22"},
	} {
		got := authz.DecideEgress(egressMesh(), test.call)
		if got.Outcome != test.want || !strings.Contains(got.Missing, test.missing) || (got.Missing == "") != (test.want == authz.Allowed) {
			t.Errorf("%s: %s, missing %q; want %s, missing %q", name, got.Outcome, got.Missing, test.want, test.missing)
		}
	}
	stranger := call(80, tcp, "", inRange, "")
	stranger.Source = meshtest.SA("ns", "stranger")
	if got := authz.DecideEgress(egressMesh(), stranger); got.Outcome != authz.Refused {
		t.Errorf("a client without any destination: %s, want refused", got.Outcome)
	}
}

// TestServerNamePrecedesRanges checks where TLS connections go that one Egress allows by their server name and another one by their address.
func TestServerNamePrecedesRanges(t *testing.T) {
	gateway := outside("gateway", 2, all(on(port(443, catalog.ProtocolHTTPS)), to("gateway.example.com"), through))
	inBytes := outside("bytes", 3, all(on(port(443, inventory.ProtocolTCP)), within("203.0.113.8/32")))
	for name, test := range map[string]struct {
		host, address     string
		resolved, gateway bool
		policy            string
	}{
		"a range of any TLS":              {"api.example.com", "203.0.113.1", true, false, "ns/https"},
		"a range of any TLS, the gateway": {"gateway.example.com", "203.0.113.1", true, true, "ns/gateway"},
		"a range of bytes":                {"gateway.example.com", "203.0.113.8", false, false, "ns/bytes"},
		"another server name":             {"two.example.net", "203.0.113.1", false, false, "ns/anytls"},
	} {
		got := authz.DecideEgress(egressMesh(gateway, inBytes), authz.EgressRequest{
			Source: meshtest.SA("ns", "client"), Address: netip.MustParseAddr(test.address), Port: 443, Protocol: catalog.ProtocolHTTPS, Host: test.host,
		})
		if got.Outcome != authz.Allowed || got.Resolved != test.resolved || got.Gateway != test.gateway || strings.Join(got.Policies, " ") != test.policy {
			t.Errorf("%s: %+v, want resolved %t, gateway %t, by %s", name, got, test.resolved, test.gateway, test.policy)
		}
	}
}

// TestMissingEgressNamesTheGateway checks which calls a namespace that requires the egress gateway cannot make by another Egress.
func TestMissingEgressNamesTheGateway(t *testing.T) {
	required := &catalog.Namespace{Name: "ns", Monitored: true, EgressGateway: true}
	for name, test := range map[string]struct {
		protocol  inventory.Protocol
		host      string
		namespace catalog.Entry
		gateway   bool
	}{
		"bytes":                      {inventory.ProtocolTCP, "", required, true},
		"bytes after a name":         {inventory.ProtocolTCP, "api.example.com", required, true},
		"bytes elsewhere":            {inventory.ProtocolTCP, "", &catalog.Namespace{Name: "ns", Monitored: true}, false},
		"TLS to a name":              {catalog.ProtocolHTTPS, "api.example.com", required, false},
		"TLS to an address":          {catalog.ProtocolHTTPS, "192.0.2.1", required, true},
		"TLS without a name":         {catalog.ProtocolHTTPS, "", required, true},
		"a request to an address":    {inventory.ProtocolHTTP, "192.0.2.1", required, false},
		"a request without any host": {inventory.ProtocolHTTP, "", required, false},
	} {
		v := meshtest.Apply(&catalog.Settings{EgressPolicies: true}, test.namespace).View()
		got := authz.DecideEgress(v, authz.EgressRequest{Source: meshtest.SA("ns", "client"), Port: 80, Protocol: test.protocol, Host: test.host})
		if strings.Contains(got.Missing, "the egress gateway can look up") != test.gateway {
			t.Errorf("%s: missing %q, want the egress gateway in it: %t", name, got.Missing, test.gateway)
		}
	}
}
