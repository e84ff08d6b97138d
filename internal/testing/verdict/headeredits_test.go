package verdict

import (
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestBackendsEditHeadersLast has a rule and a backend of an HTTPRoute that set the same header, which an authorization server reads. The backend has the last
// word, for clients that hold all destinations and for those that load them on demand.
func TestBackendsEditHeadersLast(t *testing.T) {
	t.Parallel()
	n := NewNetwork(t)
	web := Service("a", "s1", "0", virtualAddress(1).String(), 80, inventory.ProtocolHTTP)
	web.Ports[0].TargetPort = webPort
	to := func(path, rule, backend string) catalog.HTTPRouteRule {
		set := func(value string) catalog.HeaderEdits {
			return catalog.HeaderEdits{Set: []catalog.HeaderValue{{Name: "x-user", Value: value}}}
		}
		return catalog.HTTPRouteRule{
			Matches: []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: path}}, Filters: catalog.RouteFilters{HeaderFilters: catalog.HeaderFilters{Request: set(rule)}},
			Backends: []catalog.RouteBackend{{Service: web.Name, Port: 80, Weight: 1, Filters: &catalog.HeaderFilters{Request: set(backend)}}},
		}
	}
	n.Reset(t, Mesh(web,
		&catalog.Settings{Permissive: true, ExternalAuthorization: &catalog.ExternalAuthorization{
			Address: outsideAddresses[0].String(), Port: authorizers[0].port, StatPrefix: "authorization", Timeout: responseTimeout,
		}},
		&catalog.HTTPRoute{
			Kind: entity.KindHTTPRoute, Name: Name("a", "h1"), Parents: []catalog.RouteParent{{Service: web.Name}},
			Rules: []catalog.HTTPRouteRule{to("/allowed", deniedWord, "alice"), to("/denied", "alice", deniedWord)},
		},
	))
	for _, client := range []int{1, 3} { // the first loads destinations on demand
		for path, want := range map[string]string{"/allowed": "p1:8080", "/denied": "401"} {
			request := Request{Pod: client, To: netip.AddrPortFrom(virtualAddress(1), 80), Method: "GET", Path: path, Headers: []authz.Header{{Name: ":authority", Value: "s1"}}}
			if got := n.send(request); got != want {
				t.Errorf("%s from %s: %s, want %s", path, pods[client].name, got, want)
			}
		}
	}
}
