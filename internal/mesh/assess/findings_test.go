package assess

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// shop is a mesh with a namespace and the HTTPRouteGroups a and b.
func shop(entries ...catalog.Entry) Mesh {
	entries = append(entries, &catalog.Settings{Namespace: meshNamespace}, &catalog.Namespace{Name: "shop", Monitored: true}, Group("shop", "a", "/a"), Group("shop", "b", "/b"))
	return Mesh{View: Apply(entries...).View(), Namespace: meshNamespace}
}

// serviceIn returns a Service of the namespace shop that selects the pods with its name.
func serviceIn(name string, port uint16) *inventory.Service {
	return Service("shop", name, name, "", port, inventory.ProtocolHTTP)
}

// said is a cause with a part of the message.
type said struct {
	cause finding.Cause
	text  string
}

func expect(t *testing.T, found []finding.Finding, want []said) {
	t.Helper()
	fits := len(found) == len(want)
	for i := range want {
		fits = fits && found[i].Cause == want[i].cause && strings.Contains(found[i].Message, want[i].text)
	}
	if !fits {
		t.Errorf("the findings are %+v, want %v", found, want)
	}
}

// TestFindingsAboutSplits has the findings about a TrafficSplit of Service web.
func TestFindingsAboutSplits(t *testing.T) {
	split := func(name, root string, created int64, groups []string, backends ...string) *catalog.TrafficSplit {
		s := &catalog.TrafficSplit{Name: Name("shop", name), Created: time.Unix(created, 0), Root: Name("shop", root), Matches: groups}
		for _, backend := range backends {
			s.Backends = append(s.Backends, catalog.SplitBackend{Service: Name("shop", backend), Weight: 1})
		}
		return s
	}
	older := split("old", "web", 1, []string{"a"}, "v1")
	for name, c := range map[string]struct {
		policy *catalog.TrafficSplit
		others []catalog.Entry
		// isNew is true if the mesh does not have the policy yet.
		isNew bool
		want  []said
	}{
		"an older one of a group":       {split("new", "web", 2, []string{"a", "b"}, "v1"), []catalog.Entry{older}, false, []said{{finding.Conflict, "TrafficSplit shop/old is older and already splits the requests to Service shop/web that HTTPRouteGroup a selects"}}},
		"a younger one of a group":      {older, []catalog.Entry{split("new", "web", 2, []string{"a"}, "v1")}, false, nil},
		"of a group, not created yet":   {split("new", "web", 2, []string{"b"}, "v1"), []catalog.Entry{older}, true, nil},
		"a backend after the root":      {split("s", "web", 1, nil, "web", "v1"), []catalog.Entry{split("nested", "v1", 1, nil, "v2")}, false, []said{{finding.NotFollowed, "TrafficSplit shop/nested"}}},
		"a missing backend, last":       {split("s", "web", 1, nil, "v1", "none"), nil, false, []said{{finding.NoBackend, "the other backends take its share"}}},
		"a backend that cannot be read": {split("s", "web", 1, nil, "unread"), []catalog.Entry{&catalog.Unread{Object: finding.Service(Name("shop", "unread"))}}, false, nil},
		"replaced on all ports": {
			split("s", "web", 2, nil, "none"),
			[]catalog.Entry{split("old", "web", 1, nil, "v1"), split("nested", "none", 1, nil, "v2"), Route(Name("shop", "web"), 1, 1)},
			false,
			[]said{{finding.Replaced, ""}, {finding.NoBackend, "it gets no requests"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			entries := append(c.others, serviceIn("web", 80), serviceIn("v1", 80), serviceIn("v2", 80))
			if !c.isNew {
				entries = append(entries, c.policy)
			}
			expect(t, shop(entries...).Policy(c.policy), c.want)
		})
	}
}

// TestUnmatchedPorts checks which TCPRoutes of a TrafficTarget grant nothing: with the Services of the destination, or those of the namespace.
func TestUnmatchedPorts(t *testing.T) {
	pod := Pod("shop", "store-1", "store", "store", "10.0.0.1")
	store, other := serviceIn("store", 80), serviceIn("other", 90)
	behind := []catalog.Entry{pod, store, Slice(store.Name, pod), other}
	named, handwritten := serviceIn("named", 80), serviceIn("handwritten", 80)
	named.Ports[0].TargetName, named.Ports[0].TargetPort = "http", 0
	handwritten.Selector = nil
	for name, c := range map[string]struct {
		rules    []catalog.TargetRule
		services []catalog.Entry
		want     []said
	}{
		"a port of the destination":      {[]catalog.TargetRule{TCP("80")}, behind, nil},
		"a port of another Service":      {[]catalog.TargetRule{HTTP("a"), TCP("80"), TCP("90")}, behind, []said{{finding.UnknownPort, "TCPRoute shop/90 has the ports 90, but the Services of shop/store have the target ports 80"}}},
		"a port of the namespace":        {[]catalog.TargetRule{TCP("90")}, []catalog.Entry{other}, nil},
		"no port of the namespace":       {[]catalog.TargetRule{TCP("80")}, []catalog.Entry{other}, []said{{finding.UnknownPort, "the Services of the namespace have the target ports 90"}}},
		"no Services":                    {[]catalog.TargetRule{TCP("80")}, nil, nil},
		"a Service with a port by name":  {[]catalog.TargetRule{TCP("80")}, []catalog.Entry{other, named}, nil},
		"a Service without a selector":   {[]catalog.TargetRule{TCP("80")}, []catalog.Entry{other, handwritten}, nil},
		"a route that matches all ports": {[]catalog.TargetRule{TCP("all")}, behind, nil},
	} {
		t.Run(name, func(t *testing.T) {
			routes := []catalog.Entry{&catalog.TCPRoute{Name: Name("shop", "80"), Ports: []uint16{80}}, &catalog.TCPRoute{Name: Name("shop", "90"), Ports: []uint16{90}}, &catalog.TCPRoute{Name: Name("shop", "all")}}
			accounts := []catalog.Entry{&catalog.ServiceAccount{Name: Name("shop", "store")}, &catalog.ServiceAccount{Name: Name("shop", "buyer")}}
			policy := Target("t", SA("shop", "store"), c.rules, SA("shop", "buyer"))
			expect(t, shop(append(append(append(c.services, routes...), accounts...), policy)...).Policy(policy), c.want)
		})
	}
}

// TestPeersOfTargets checks what is missing for accounts of peers.
func TestPeersOfTargets(t *testing.T) {
	pod, store := Pod("shop", "store-1", "store", "store", "10.0.0.1"), serviceIn("store", 80)
	behind := []catalog.Entry{pod, store, Slice(store.Name, pod)}
	east := Peer("east", "east.example")
	export := func(peer string) catalog.Entry { return &catalog.ServiceExport{Name: store.Name, Peer: peer} }
	for name, c := range map[string]struct {
		entries []catalog.Entry
		want    []said
	}{
		"no MeshPeer":         {behind, []said{{finding.NoPeer, "MeshPeer east of spec.sources does not exist, or is not accepted"}}},
		"no ServiceExport":    {append(slices.Clip(behind), east), []said{{finding.NotExported, "No Service of shop/store is exported to MeshPeer east"}}},
		"exported to another": {append(slices.Clip(behind), east, export("north")), []said{{finding.NotExported, ""}}},
		"exported":            {append(slices.Clip(behind), east, export("east")), nil},
		"exported to all":     {append(slices.Clip(behind), east, &catalog.ServiceExport{Name: store.Name, Any: true}), nil},
		"no Service is known": {[]catalog.Entry{east}, nil},
		"an older one counts": {append(slices.Clip(behind), export("east"), &catalog.Peer{Name: "east", TrustDomain: "x.example", Created: time.Unix(2, 0)}, &catalog.Peer{Name: "old", TrustDomain: "x.example"}), []said{{finding.NoPeer, ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			policy := Target("t", SA("shop", "store"), nil)
			policy.PeerSources = []identity.PeerAccount{{Peer: "east", Namespace: "web", Name: "a"}, {Peer: "east", Namespace: "web", Name: "b"}}
			found := shop(append(c.entries, policy, &catalog.ServiceAccount{Name: Name("shop", "store")})...).Policy(policy)
			expect(t, found, c.want)
			for _, f := range found {
				if !f.Warning {
					t.Errorf("the policy is not in force: %+v", f)
				}
			}
		})
	}
}

// TestEgressConflict checks that messages name the host that another Egress decides about.
func TestEgressConflict(t *testing.T) {
	conflict := authz.EgressConflict{Winner: Name("shop", "old"), Port: catalog.EgressPort{Number: 443, Protocol: catalog.ProtocolHTTPS}, Setting: true}
	if f := egressConflict(conflict); !f.Warning || f.Winner != entity.KindEgress.Ref(conflict.Winner) || !strings.Contains(f.Message, "limits the connections on port 443") {
		t.Errorf("limits of a port: %+v", f)
	}
	conflict.Host = "example.com"
	if f := egressConflict(conflict); !f.Warning || !strings.Contains(f.Message, "limits the connections to example.com on port 443") {
		t.Errorf("limits of a host: %+v", f)
	}
	conflict.Setting = false
	if f := egressConflict(conflict); f.Warning || !strings.Contains(f.Message, "sends requests to example.com on port 443") {
		t.Errorf("requests to a host: %+v", f)
	}
	conflict.Encryption = Name("shop", "tls")
	for unusable, want := range map[bool]string{true: "cannot be used", false: "does not apply in the egress gateway"} {
		conflict.Unusable = unusable
		f := egressConflict(conflict)
		if f.Warning || f.Winner != entity.KindEgress.Ref(conflict.Winner) || !strings.Contains(f.Message, "The BackendTLSPolicy shop/tls of Egress shop/old") || !strings.Contains(f.Message, want) {
			t.Errorf("requests that cannot be encrypted: %+v, want that the policy %s", f, want)
		}
	}
}
