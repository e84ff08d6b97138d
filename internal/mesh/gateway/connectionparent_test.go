package gateway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// TestConnectionParents checks the status of TLSRoutes and TCPRoutes, which can have precedence over each other.
func TestConnectionParents(t *testing.T) {
	backend := catalog.RouteBackend{Service: entity.Name{Namespace: shop, Name: "db"}, Port: 90, Weight: 1}
	of := func(kind entity.Kind, name string, created int64, port uint16, hostnames ...string) *catalog.HTTPRoute {
		return serviceRoute(shop, backend, func(r *catalog.HTTPRoute) {
			r.Kind, r.Name.Name, r.Created, r.Hostnames = kind, name, time.Unix(created, 0), hostnames
			r.Parents[0].Service.Name, r.Parents[0].Port = "db", port
		})
	}
	tcp, tls := entity.KindGatewayTCPRoute, entity.KindTLSRoute
	remote := of(tcp, "r", 1, 90)
	remote.Rules[0].Backends[0].Service.Namespace = other
	for name, test := range map[string]struct {
		route              *catalog.HTTPRoute
		others             []catalog.Entry
		accepted, resolved string
		text               string
	}{
		"a TCPRoute":                     {of(tcp, "r", 1, 90), nil, "Accepted", "ResolvedRefs", ""},
		"a TCPRoute for all ports":       {of(tcp, "r", 1, 0), nil, "Accepted", "ResolvedRefs", "It does not apply to port 80, whose HTTP requests HTTPRoutes and GRPCRoutes route."},
		"a TCPRoute for HTTP":            {of(tcp, "r", 1, 80), nil, "NoMatchingParent", "ResolvedRefs", "Port 80 of Service shop/db has the protocol http, whose requests are routed one by one: use an HTTPRoute"},
		"an older TCPRoute":              {of(tcp, "r", 1, 90), []catalog.Entry{of(tcp, "z", 0, 0)}, "Conflicted", "ResolvedRefs", "The older TCPRoute shop/z routes the connections to port 90"},
		"a newer TCPRoute":               {of(tcp, "r", 1, 90), []catalog.Entry{of(tcp, "a", 2, 90)}, "Accepted", "ResolvedRefs", ""},
		"an older TCPRoute of one port":  {of(tcp, "r", 1, 0), []catalog.Entry{of(tcp, "a", 0, 90)}, "Accepted", "ResolvedRefs", "The older TCPRoute shop/a routes the connections to port 90"},
		"a TLSRoute":                     {of(tls, "r", 1, 443, "a.example"), nil, "Accepted", "ResolvedRefs", ""},
		"a TLSRoute for all ports":       {of(tls, "r", 1, 0, "a.example"), nil, "Accepted", "ResolvedRefs", ""},
		"a TLSRoute for TCP":             {of(tls, "r", 1, 90, "a.example"), nil, "NoMatchingParent", "ResolvedRefs", "Port 90 of Service shop/db has the protocol tcp, and TLSRoutes apply to ports whose application uses TLS"},
		"a TLSRoute before TCPRoutes":    {of(tcp, "r", 0, 443), []catalog.Entry{of(tls, "a", 1, 443, "a.example")}, "Conflicted", "ResolvedRefs", "TLSRoutes have precedence over TCPRoutes"},
		"all hostnames are taken":        {of(tls, "r", 1, 443, "a.example"), []catalog.Entry{of(tls, "a", 0, 443, "a.example")}, "Conflicted", "ResolvedRefs", "Older TLSRoutes, such as shop/a, have all hostnames"},
		"a hostname is taken":            {of(tls, "r", 1, 443, "a.example", "b.example"), []catalog.Entry{of(tls, "a", 0, 443, "a.example")}, "Accepted", "ResolvedRefs", "Older TLSRoutes have the hostname a.example"},
		"a backend without a grant":      {remote, nil, "Accepted", "RefNotPermitted", "permits TCPRoutes of the namespace shop"},
		"HTTPRoutes of the same Service": {of(tcp, "r", 1, 90), []catalog.Entry{serviceRoute(shop, backend, func(r *catalog.HTTPRoute) { r.Parents[0].Service.Name = "db" })}, "Accepted", "ResolvedRefs", ""},
	} {
		entries := append(test.others, test.route, service(shop, "db",
			inventory.Port{Number: 80, Protocol: inventory.ProtocolHTTP}, inventory.Port{Number: 90, Protocol: inventory.ProtocolTCP}, inventory.Port{Number: 443, Protocol: inventory.ProtocolTCP, TLS: true}))
		parents := gateway.ServiceParents(mesh(entries...), test.route)
		p := parents[0]
		if len(parents) != 1 || p.Accepted.Reason != test.accepted || p.ResolvedRefs.Reason != test.resolved || p.Accepted.OK != (test.accepted == "Accepted") {
			t.Errorf("%s: %+v", name, parents)
		}
		if !strings.Contains(p.Accepted.Message+p.ResolvedRefs.Message, test.text) || test.text == "" && p.Accepted.Message != "" {
			t.Errorf("%s: %+v, want %q", name, p, test.text)
		}
	}
}
