package snapshot

import (
	"fmt"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestTransitionsOfEachKind changes the destinations of a client in each way, with destinations of its own and with shared ones, for clients that load them
// on demand and others. After each change its configuration equals a full translation.
func TestTransitionsOfEachKind(t *testing.T) {
	for _, permissive := range []bool{false, true} {
		for _, onDemand := range []bool{false, true} {
			t.Run(fmt.Sprintf("permissive %t, on demand %t", permissive, onDemand), func(t *testing.T) { checkTransitions(t, permissive, onDemand) })
		}
	}
}

// checkTransitions compares the scopes of a client and of a server that is also a client after each change.
func checkTransitions(t *testing.T, permissive, onDemand bool) {
	entries := append(twoServices(), serviceRanges(), &catalog.Settings{Permissive: permissive, RetryPolicies: true})
	client, server := podsOf(entries)
	client.OnDemand, server.OnDemand = onDemand, onDemand
	backend := meshtest.Pod("a", "backend", "backend", "server", "10.0.0.9")
	h := newSyncedHarness(append(entries, backend)...)
	streams := []*Stream{h.connect(t, client), h.connect(t, server)}
	service := func(name, address string, port uint16) catalog.Change {
		app := "backend"
		if name == "server" {
			app = name
		}
		return catalog.Set(meshtest.Service("a", name, app, address, port, inventory.ProtocolHTTP))
	}
	slice := func(name string) catalog.Change {
		return catalog.Set(meshtest.Slice(meshtest.Name("a", name), backend))
	}
	removed := func(kind entity.Kind, name string) catalog.Change {
		return catalog.Change{Ref: entity.Ref{Kind: kind, Name: meshtest.Name("a", name)}}
	}
	target := func(clients ...identity.ServiceAccount) catalog.Change {
		return catalog.Set(meshtest.Target("t", server.Identity(), []catalog.TargetRule{meshtest.HTTP("routes")}, clients...))
	}
	repeat := func(count uint32) catalog.Change {
		return catalog.Set(&retry.Policy{Name: meshtest.Name("a", "retry"), Source: client.Identity(), Destinations: []entity.Name{meshtest.Name("a", "two")}, Settings: retry.Settings{On: "5xx", Count: count}})
	}
	for _, step := range []struct {
		name    string
		changes []catalog.Change
	}{
		{"two Services more", []catalog.Change{service("one", "10.96.0.11", 80), slice("one"), service("two", "10.96.0.12", 80), slice("two")}},
		{"another port of one", []catalog.Change{service("one", "10.96.0.11", 81)}},
		{"another port of one and other routes", []catalog.Change{service("one", "10.96.0.11", 82), catalog.Set(meshtest.Group("a", "routes", "/y"))}},
		{"another address of one", []catalog.Change{service("one", "10.96.0.13", 82)}},
		{"a Service between others", []catalog.Change{service("other", "10.96.0.14", 80), slice("other")}},
		{"a Service that claims an address, and comes first by name", []catalog.Change{service("claim", "10.96.0.12", 80), slice("claim")}},
		{"another port of one, with two that claim an address", []catalog.Change{service("one", "10.96.0.13", 83)}},
		{"without the first that claims the address", []catalog.Change{removed(entity.KindService, "claim")}},
		{"a Service that claims an address, and comes last by name", []catalog.Change{service("zulu", "10.96.0.12", 80), slice("zulu")}},
		{"a headless Service", []catalog.Change{catalog.Set(headless("x-tail", 90)), slice("x-tail")}},
		{"another one with the same pod and pod port, and comes first by name", []catalog.Change{catalog.Set(headless("x-head", 91)), slice("x-head")}},
		{"another port of the one that comes last", []catalog.Change{catalog.Set(headless("x-tail", 92))}},
		{"without the one that comes first", []catalog.Change{removed(entity.KindService, "x-head")}},
		{"the one that comes first again", []catalog.Change{catalog.Set(headless("x-head", 93))}},
		{"without the one that comes last", []catalog.Change{removed(entity.KindService, "x-tail")}},
		{"the one that comes last again", []catalog.Change{catalog.Set(headless("x-tail", 94))}},
		{"without both", []catalog.Change{removed(entity.KindService, "x-tail"), removed(entity.KindService, "x-head")}},
		{"without the Service that claims an address", []catalog.Change{removed(entity.KindService, "zulu")}},
		{"a policy of the client", []catalog.Change{repeat(3)}},
		{"another policy of the client, and another port", []catalog.Change{repeat(4), service("two", "10.96.0.12", 84)}},
		{"a route of a Service", []catalog.Change{catalog.Set(meshtest.Route(meshtest.Name("a", "two"), 0, 0))}},
		{"another route of a Service", []catalog.Change{catalog.Set(meshtest.Route(meshtest.Name("a", "two"), 0, 1))}},
		{"the server may call itself", []catalog.Change{target(client.Identity(), server.Identity())}},
		{"its own port changes", []catalog.Change{service("server", "10.96.0.1", 85)}},
		{"the rules of its port change, and a destination", []catalog.Change{catalog.Set(meshtest.Group("a", "routes", "/z")), service("one", "10.96.0.13", 86)}},
		{"no policy of the client", []catalog.Change{removed(retry.Kind, "retry")}},
		{"without a Service", []catalog.Change{removed(entity.KindService, "two")}},
		{"other TLS settings and a port", []catalog.Change{catalog.Set(&catalog.Settings{Permissive: permissive, TLS: catalog.TLS{MinVersion: "TLSv1_3"}}), service("one", "10.96.0.13", 87)}},
		{"no destinations", []catalog.Change{removed(entity.KindService, "one"), removed(entity.KindService, "other"), removed(entity.KindService, "server")}},
		{"the first destination", []catalog.Change{service("server", "10.96.0.1", 80)}},
		{"no permission", []catalog.Change{removed(entity.KindTrafficTarget, "t")}},
		{"a permission", []catalog.Change{target(client.Identity())}},
	} {
		h.store.Apply(step.changes)
		h.run()
		for _, stream := range streams {
			h.compareWithFull(stepFailer{t, step.name}, stream.scope.Load(), step.changes[0].Entry)
		}
	}
}

// headless returns a Service whose pods listen on a port that others have too.
func headless(name string, port uint16) *inventory.Service {
	service := meshtest.Service("a", name, "backend", "", port, inventory.ProtocolHTTP)
	service.Ports[0].TargetPort = 8080
	return service
}

// stepFailer names the step in failures.
type stepFailer struct {
	t    *testing.T
	step string
}

func (f stepFailer) Fatalf(format string, args ...any) {
	f.t.Helper()
	f.t.Errorf("%s: "+format, append([]any{f.step}, args...)...)
}

// TestSameResourceNames checks which versions of a port are translated to resources of the same names.
func TestSameResourceNames(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(*scope.Inbound)
		want bool
	}{
		"a copy":              {func(*scope.Inbound) {}, true},
		"other rules":         {func(in *scope.Inbound) { in.Rules.Network = []authz.NetworkRule{{}} }, true},
		"another Service":     {func(in *scope.Inbound) { in.Service.Name = "other" }, false},
		"another port":        {func(in *scope.Inbound) { in.Port++ }, false},
		"another target port": {func(in *scope.Inbound) { in.TargetPort++ }, false},
		"another protocol":    {func(in *scope.Inbound) { in.Protocol = inventory.ProtocolTCP }, false},
		"permissive":          {func(in *scope.Inbound) { in.Rules.Permissive = true }, false},
	} {
		before := scope.Inbound{Service: meshtest.Name("a", "server"), Port: 80, TargetPort: 8080, Protocol: inventory.ProtocolHTTP}
		after := before
		test.edit(&after)
		if got := hasSameResourceNames(before, after); got != test.want {
			t.Errorf("inbound, %s: the names are the same: %t, want %t", name, got, test.want)
		}
	}
	route := []scope.HTTPRoute{{Backends: []scope.Backend{{Weight: 1}}}}
	other := []scope.HTTPRoute{{Backends: []scope.Backend{{Weight: 2}}}}
	for name, test := range map[string]struct {
		before, after scope.Outbound
		want          bool
	}{
		"a copy":                        {scope.Outbound{Port: 80}, scope.Outbound{Port: 80}, true},
		"another port":                  {scope.Outbound{Port: 80}, scope.Outbound{Port: 81}, false},
		"other routes":                  {scope.Outbound{HTTPRoutes: route}, scope.Outbound{HTTPRoutes: other}, true},
		"more routes":                   {scope.Outbound{HTTPRoutes: route}, scope.Outbound{HTTPRoutes: append(other, route...)}, true},
		"new routes":                    {scope.Outbound{}, scope.Outbound{HTTPRoutes: route}, false},
		"no routes":                     {scope.Outbound{HTTPRoutes: route}, scope.Outbound{}, false},
		"other routes and another port": {scope.Outbound{HTTPRoutes: route}, scope.Outbound{HTTPRoutes: other, Port: 81}, false},
	} {
		if got := hasSameNames(&test.before, &test.after); got != test.want {
			t.Errorf("outbound, %s: the names are the same: %t, want %t", name, got, test.want)
		}
	}
}

// TestTransitionsThatOnlyAdd checks after which changes no name has to be removed.
func TestTransitionsThatOnlyAdd(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(*scope.Scope)
		want bool
	}{
		"nothing":               {unchanged, true},
		"one more":              {func(s *scope.Scope) { s.Outbound = append(s.Outbound, scope.Outbound{Port: 81}) }, true},
		"an outbound port":      {func(s *scope.Scope) { s.Outbound[0].Port = 81 }, false},
		"no outbound port":      {func(s *scope.Scope) { s.Outbound = nil }, false},
		"a cluster":             {func(s *scope.Scope) { s.Clusters[0].TargetPort = 81 }, false},
		"another cluster":       {func(s *scope.Scope) { s.Clusters = append(s.Clusters, scope.Cluster{}) }, true},
		"an inbound port":       {func(s *scope.Scope) { s.Inbound[0].Port = 81 }, false},
		"one inbound port more": {func(s *scope.Scope) { s.Inbound = append(s.Inbound, scope.Inbound{}) }, false},
	} {
		inbound := func(s *scope.Scope) { s.Inbound = []scope.Inbound{{Port: 80}} }
		step := transition{before: toService("server", inbound), after: toService("server", func(s *scope.Scope) { inbound(s); test.edit(s) })}
		if got := step.onlyAdds(); got != test.want {
			t.Errorf("%s: only additions: %t, want %t", name, got, test.want)
		}
	}
}

// TestResourcesOfUnknownTypes encodes a resource of a type that does not exist.
func TestResourcesOfUnknownTypes(t *testing.T) {
	list := encode([]envoy.Resource{{TypeURL: "unknown", Name: "strange"}})
	if len(list) != 1 || list[0].err == nil || list[0].content != nil || list[0].name != "strange" {
		t.Errorf("encoded are %+v, want one error and no content", list)
	}
}
