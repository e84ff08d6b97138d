package verdict

import (
	"net/netip"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// Ports of servers outside the mesh that do not decide.
const (
	rejectingPort = 9193
	hangingPort   = 9194
)

// TestServersWithoutAnswers_OfRealSidecars has an authorizer that refuses connections, one that accepts them and never answers, a rate
// limit service that is away, and an authorizer that answers. Sidecars report exactly those without answers.
func TestServersWithoutAnswers_OfRealSidecars(t *testing.T) {
	t.Parallel()
	n := NewNetwork(t)
	serveOutside(t, n)
	address := n.outside.IP.String()
	_ = n.outside.NS.Listen(t, nstest.Address(address, hangingPort)) // nothing accepts
	service := Service("a", "s1", "x", virtualAddress(1).String(), 80, inventory.ProtocolHTTP)
	service.Ports[0].TargetPort = webPort
	policy := entity.Name{Namespace: "a", Name: "authz"}
	reset := func(settings *catalog.Settings, more ...catalog.Entry) {
		t.Helper()
		settings.Namespace = "b"
		changes := []catalog.Change{
			catalog.Set(settings), catalog.Set(service), catalog.Set(Group("a", "g1", "/a")),
			catalog.Set(Target("one", accounts[0], []catalog.TargetRule{HTTP("g1")}, accounts[2])),
		}
		for _, entry := range more {
			changes = append(changes, catalog.Set(entry))
		}
		n.Reset(t, podsOnly().with(changes))
	}
	failing := func() map[loadstats.Server]bool {
		found := map[loadstats.Server]bool{}
		for _, f := range n.control.loads.Failures() {
			if f.Client != accounts[0] || f.Sidecars < 1 || f.Since.IsZero() {
				t.Errorf("a failure of %+v", f)
			}
			found[f.Server] = true
		}
		return found
	}
	ask := func() {
		n.send(Request{
			Pod: 3, To: netip.AddrPortFrom(virtualAddress(1), 80), Method: "GET", Path: "/a", Headers: []authz.Header{{Name: ":authority", Value: "web"}},
		})
	}
	authorizer := func(port uint16) []catalog.Entry {
		name := entity.Name{Namespace: "a", Name: "server"}
		return []catalog.Entry{
			&extauthz.Policy{Name: policy, Service: name, Timeout: 100 * time.Millisecond, FailureModeAllow: true},
			&catalog.ExtensionService{Name: name, Address: address, Port: port},
		}
	}
	limit := upstream.GlobalLimit{Address: address, Port: rejectingPort, Domain: "d", Timeout: 100 * time.Millisecond, FailOpen: true}
	limits := &upstream.Policy{
		Kind: upstream.Kind, Name: Name("a", "limits"), Service: service.Name,
		GlobalRequests: &upstream.GlobalRequestLimit{GlobalLimit: limit, Descriptors: []upstream.RequestDescriptor{{{Key: "k", Value: "v"}}}, Status: 429},
	}
	own := loadstats.Server{Cluster: "external-authorization|namespace", Policy: policy}
	ofMesh := loadstats.Server{Cluster: "external-authorization"}
	limiter := loadstats.Server{Cluster: "ratelimit|" + netip.AddrPortFrom(n.outside.IP, rejectingPort).String()}
	for _, step := range []struct {
		name    string
		prepare func()
		// read is true if somebody reads loads.
		read bool
		want map[loadstats.Server]bool
	}{
		{"refused", func() {
			reset(&catalog.Settings{ExternalAuthorization: &catalog.ExternalAuthorization{Address: address, Port: authorizerPort, StatPrefix: "x", Timeout: time.Second}}, append(authorizer(rejectingPort), limits)...)
		}, false, map[loadstats.Server]bool{own: true, limiter: true}},
		{"hanging", func() {
			reset(&catalog.Settings{ExternalAuthorization: &catalog.ExternalAuthorization{Address: address, Port: hangingPort, StatPrefix: "x", Timeout: 100 * time.Millisecond, FailureModeAllow: true}}, authorizer(authorizerPort)...)
		}, true, map[loadstats.Server]bool{ofMesh: true, limiter: true}},
	} {
		step.prepare()
		var got map[loadstats.Server]bool
		t.Cleanup(func() { t.Logf("%s: %v", step.name, got) })
		eventually.True(t, 6*loadstats.ServerInterval, step.name+": exactly the servers without answers are reported", func() bool {
			ask()
			if step.read {
				n.control.loads.Read()
			}
			got = failing()
			for server := range step.want {
				if !got[server] {
					return false
				}
			}
			return len(got) == len(step.want)
		})
	}
}
