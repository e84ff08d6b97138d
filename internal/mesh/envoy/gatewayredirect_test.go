package envoy

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// TestRedirectToASchemeHasItsPort redirects requests to a listener on a port of its own: the client must not try TLS on that port.
func TestRedirectToASchemeHasItsPort(t *testing.T) {
	for name, c := range map[string]struct {
		listener uint16
		redirect catalog.RouteRedirect
		want     uint32
	}{
		"to https":                        {8080, catalog.RouteRedirect{Scheme: "https"}, 443},
		"to http":                         {8443, catalog.RouteRedirect{Scheme: "http"}, 80},
		"from a standard port":            {80, catalog.RouteRedirect{Scheme: "https"}, 0},
		"with a port":                     {8080, catalog.RouteRedirect{Scheme: "https", Port: 9443}, 9443},
		"to another host, same scheme":    {8080, catalog.RouteRedirect{Hostname: "b.example"}, 8080},
		"to another host and https":       {8080, catalog.RouteRedirect{Hostname: "b.example", Scheme: "https"}, 443},
		"another path of the same server": {8080, catalog.RouteRedirect{Path: &catalog.PathEdit{Value: "/b"}}, 0},
	} {
		r := &scope.HTTPRoute{}
		r.Filters.Redirect = &c.redirect
		if got := redirectOf(c.listener, r).PortRedirect; got != c.want {
			t.Errorf("%s: the port is %d, want %d", name, got, c.want)
		}
	}
}
