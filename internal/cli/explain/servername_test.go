package explain

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestServerNames asks for connections to a port with two TLSRoutes: with a server name in a header or a URL, and without one, for all routes.
func TestServerNames(t *testing.T) {
	db, young, client := Pod("shop", "db-1", "db", "db", "10.0.0.1"), Pod("shop", "new-1", "new", "new", "10.0.0.2"), Pod("shop", "client-1", "client", "client", "10.0.0.3")
	service := Service("shop", "db", "db", "10.96.0.1", 443, inventory.ProtocolTCP)
	service.Ports[0].TLS = true
	next := Service("shop", "new", "new", "10.96.0.2", 443, inventory.ProtocolTCP)
	route := func(name string, backend entity.Name, hostname string) *catalog.HTTPRoute {
		return &catalog.HTTPRoute{
			Kind: entity.KindTLSRoute, Name: Name("shop", name), Parents: []catalog.RouteParent{{Service: service.Name}}, Hostnames: []string{hostname},
			Rules: []catalog.HTTPRouteRule{{Backends: []catalog.RouteBackend{{Service: backend, Port: 443, Weight: 1}}}},
		}
	}
	m := Mesh{Name: "osm", Account: noAccount, Exists: func(entity.Ref) bool { return true }, Catalog: Apply(
		&catalog.Settings{Permissive: true}, &catalog.Namespace{Name: "shop", Monitored: true}, db, young, client, service, next, Slice(service.Name, db), Slice(next.Name, young),
		route("old", service.Name, "a.example"), route("new", next.Name, "db.shop"),
	)}
	for name, test := range map[string]struct {
		args, headers []string
		want          []string
	}{
		"a header":       {[]string{"shop/pod/client-1", "to", "shop/svc/db:443"}, []string{"Host: a.example:443"}, []string{"allowed by TLSRoute shop/old"}},
		"a URL":          {[]string{"shop/pod/client-1", "to", "https://db.shop"}, nil, []string{"allowed by TLSRoute shop/new"}},
		"another name":   {[]string{"shop/pod/client-1", "to", "shop/svc/db:443"}, []string{"host: b.example"}, []string{"unavailable by TLSRoute shop/new"}},
		"no server name": {[]string{"shop/pod/client-1", "to", "shop/svc/db:443"}, nil, []string{"allowed by TLSRoute shop/new", "allowed by TLSRoute shop/old"}},
	} {
		q, err := ParseQuestion(test.args, test.headers, "shop")
		if err != nil {
			t.Fatal(err)
		}
		answer, err := Evaluate(t.Context(), m, q)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, candidate := range answer.Candidates {
			got = append(got, fmt.Sprintf("%s by %s", candidate.Outcome, candidate.Route))
		}
		slices.Sort(got)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func noAccount(context.Context, string, string, string) (string, bool, error) { return "", false, nil }
