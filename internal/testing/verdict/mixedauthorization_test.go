package verdict

import (
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestMixed_PoliciesAndEarlierAuthorizers covers an edit of policies and of an authorization server at once: a connection from before may be denied by what
// remains of the earlier mesh, or carry a request that only the new policies allow without a decision of the new server, until its next response
// (docs/threats.md). The opposite edit opens nothing: no request passes because the server is gone before the policy is.
func TestMixed_PoliciesAndEarlierAuthorizers(t *testing.T) {
	w := podsOnly()
	service := Service("a", "s1", "x", virtualAddress(1).String(), 80, inventory.ProtocolHTTP)
	service.Ports[0].TargetPort = webPort
	for _, e := range []catalog.Entry{
		&catalog.Settings{Namespace: meshNamespace}, service, Group("a", "g1", "/a"), Target("one", accounts[0], []catalog.TargetRule{HTTP("g1")}, accounts[2]),
	} {
		w[e.Ref()] = e
	}
	edit := catalog.Set(&catalog.Settings{Namespace: meshNamespace, Permissive: true, ExternalAuthorization: &catalog.ExternalAuthorization{
		Address: outsideAddresses[0].String(), Port: authorizers[0].port, StatPrefix: "x", Timeout: authorizationTimeout,
	}})
	denied := Request{
		Pod: 3, To: netip.AddrPortFrom(virtualAddress(1), 80), Method: "GET", Path: "/b",
		Headers: []authz.Header{{Name: ":authority", Value: "s1"}, {Name: "x-user", Value: deniedWord}},
	}
	requireMixed(t, w, edit, denied, map[string]bool{"p1:8080": true, "401": true, "402": false, "404": true})
	opposite := catalog.Set(&catalog.Settings{Namespace: meshNamespace})
	requireMixed(t, w.with([]catalog.Change{edit}), opposite, denied, map[string]bool{"p1:8080": false, "402": false})
}
