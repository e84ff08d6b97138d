package scope

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestClientChains checks which clients of a TCP port have a filter chain of their own.
func TestClientChains(t *testing.T) {
	a, b := meshtest.SA("a", "one"), meshtest.SA("b", "one")
	long, tooLong := meshtest.SA("c", strings.Repeat("x", MaxClientName)), meshtest.SA("c", strings.Repeat("x", MaxClientName+1))
	rule := func(clients ...identity.ServiceAccount) authz.NetworkRule { return authz.NetworkRule{Sources: clients} }
	var many []identity.ServiceAccount
	for i := range MaxClientChains + 1 {
		many = append(many, meshtest.SA("m", fmt.Sprintf("%03d", i)))
	}
	for name, test := range map[string]struct {
		protocol   inventory.Protocol
		permissive bool
		rules      []authz.NetworkRule
		want       []identity.ServiceAccount
	}{
		"clients of two rules": {inventory.ProtocolTCP, false, []authz.NetworkRule{rule(b), rule(a, b)}, []identity.ServiceAccount{a, b}},
		"long names":           {inventory.ProtocolTCP, false, []authz.NetworkRule{rule(tooLong, long)}, []identity.ServiceAccount{long}},
		"too many":             {inventory.ProtocolTCP, false, []authz.NetworkRule{rule(many...)}, many[:MaxClientChains]},
		"as many as there are": {inventory.ProtocolTCP, false, []authz.NetworkRule{rule(many[1:]...)}, many[1:]},
		"HTTP":                 {inventory.ProtocolHTTP, false, []authz.NetworkRule{rule(a)}, nil},
		"permissive":           {inventory.ProtocolTCP, true, []authz.NetworkRule{rule(a)}, nil},
	} {
		in := Inbound{Protocol: test.protocol, Rules: authz.Rules{Network: test.rules, Permissive: test.permissive}}
		if got := in.ClientChains(); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// TestRetriesOfAClient checks which retry policies a scope has.
func TestRetriesOfAClient(t *testing.T) {
	client := meshtest.SA("shop", "client")
	retry := &retry.Policy{Name: meshtest.Name("shop", "r"), Source: client, Destinations: []entity.Name{meshtest.Name("shop", "web"), meshtest.Name("shop", "api")}, Settings: retry.Settings{Count: 3}}
	for enabled, want := range map[bool]int{true: 2, false: 0} {
		v := meshtest.Apply(&catalog.Settings{RetryPolicies: enabled}, &catalog.Namespace{Name: "shop", Monitored: true}, retry).View()
		s := Build(v, "cluster.local", Key{Identity: client})
		if len(s.Retries) != want || s.HasNoClientPolicies() != !enabled {
			t.Errorf("enabled is %t: the retries are %v, and there are none is %t", enabled, s.Retries, s.HasNoClientPolicies())
		}
		if policy := s.RetryOf(meshtest.Name("shop", "web")); (policy != nil) != enabled || enabled && policy.Count != 3 {
			t.Errorf("enabled is %t: the policy of web is %+v", enabled, policy)
		}
		if policy := s.RetryOf(meshtest.Name("shop", "other")); policy != nil {
			t.Errorf("enabled is %t: the policy of another Service is %+v", enabled, policy)
		}
	}
}

func TestChangedServicesOfClientPolicies(t *testing.T) {
	retry := func(name string, timeout time.Duration) Retry {
		return Retry{meshtest.Name("shop", name), retry.Settings{PerTryTimeout: timeout}}
	}
	before := ClientPolicies{Retries: []Retry{retry("a", 1), retry("b", 1), retry("c", 1)}}
	for name, test := range map[string]struct {
		after []Retry
		want  []string
	}{
		"the same": {before.Retries, nil},
		"removed":  {[]Retry{retry("a", 1), retry("c", 1)}, []string{"b"}},
		"added":    {append(slices.Clone(before.Retries), retry("d", 1)), []string{"d"}},
		"changed":  {[]Retry{retry("a", 1), retry("b", 2), retry("c", 1)}, []string{"b", "b"}},
	} {
		var got []string
		for _, service := range before.ChangedServices(&ClientPolicies{Retries: test.after}) {
			got = append(got, service.Name)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestPropertiesOfKeys checks what follows from a key alone, and what a key has of a pod.
func TestPropertiesOfKeys(t *testing.T) {
	for name, test := range map[string]struct {
		key  Key
		want bool
	}{
		"a sidecar": {Key{}, true}, "a gateway": {Key{Proxy: ProxyIngressGateway}, false}, "a sidecar of Open Service Mesh": {Key{Class: Class{OSM: true}}, false},
	} {
		if got := test.key.MayShareDestinations(); got != test.want {
			t.Errorf("%s may share destinations is %t", name, got)
		}
	}
	key := KeyOfServices(meshtest.SA("shop", "web"), []entity.Name{meshtest.Name("shop", "api"), meshtest.Name("shop", "web")})
	if !key.IsBehind(meshtest.Name("shop", "web")) || key.IsBehind(meshtest.Name("shop", "other")) || (Key{}).IsBehind(entity.Name{}) {
		t.Errorf("%+v has other Services than those with which it was made", key)
	}
	pod := meshtest.Pod("shop", "web", "web", "web", "fd00::1")
	pod.OnDemand, pod.OSMSidecar = true, true
	v := meshtest.Apply(&catalog.Namespace{Name: "shop", Monitored: true}, pod).View()
	if got := KeyFor(v, pod).Class; got.OnDemand || got.IPv6 || !got.OSM {
		t.Errorf("a sidecar of Open Service Mesh has %+v", got)
	}
	pod.OSMSidecar = false
	if got := KeyFor(v, pod).Class; !got.OnDemand || !got.IPv6 || got.OSM {
		t.Errorf("a sidecar with an IPv6 address has %+v", got)
	}
	pod.IPs = meshtest.Pod("shop", "web", "web", "web", "10.0.0.1").IPs
	if got := KeyFor(v, pod).Class; got.IPv6 {
		t.Errorf("a sidecar with an IPv4 address has %+v", got)
	}
}

// TestLeftOutSplits checks that the TrafficSplits beyond the limit are found by port, and how large the limit is.
func TestLeftOutSplits(t *testing.T) {
	pod := meshtest.Pod("a", "server", "server", "server", "10.0.0.1")
	service := meshtest.Service("a", "server", "server", "172.0.0.1", 80, inventory.ProtocolHTTP)
	service.Ports = append(service.Ports, inventory.Port{Number: 81, TargetPort: 81, Protocol: inventory.ProtocolHTTP})
	group := meshtest.Group("a", "all", "/.*")
	heavy := meshtest.Group("a", "heavy", strings.Repeat("x", 300*authz.MaxCrossNamespaceRoutes))
	split := func(name string, group string) *catalog.TrafficSplit {
		return &catalog.TrafficSplit{Name: meshtest.Name("a", name), Root: service.Name, Matches: []string{group}, Backends: []catalog.SplitBackend{{Service: service.Name, Weight: 1}}}
	}
	first, second, small := split("first", "heavy"), split("second", "heavy"), split("small", "all")
	own, other := meshtest.SA("a", "client"), meshtest.SA("c", "client")
	entries := []catalog.Entry{
		&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Namespace{Name: "c", Monitored: true}, pod, service, meshtest.Slice(service.Name, pod), group, heavy,
		first, second, small, meshtest.Target("t", pod.Identity(), []catalog.TargetRule{meshtest.HTTP("all")}, own, other),
	}
	all := map[ServicePort]map[entity.Ref]struct{}{}
	for _, port := range service.Ports {
		all[ServicePort{service.Name, port.Number}] = map[entity.Ref]struct{}{first.Ref(): {}, second.Ref(): {}}
	}
	strict, permissive := meshtest.Apply(entries...).View(), meshtest.Apply(append(entries, &catalog.Settings{Permissive: true})...).View()
	for name, test := range map[string]struct {
		view   *catalog.View
		client identity.ServiceAccount
		want   map[ServicePort]map[entity.Ref]struct{}
		routes int
	}{
		"its own namespace":                    {strict, own, map[ServicePort]map[entity.Ref]struct{}{}, authz.MaxRoutes},
		"another namespace":                    {strict, other, all, authz.MaxCrossNamespaceRoutes},
		"its own namespace, and a permission":  {permissive, own, all, authz.MaxCrossNamespaceRoutes},
		"another namespace, and a permission":  {permissive, other, all, authz.MaxCrossNamespaceRoutes},
		"a client without access to any ports": {strict, meshtest.SA("a", "other"), map[ServicePort]map[entity.Ref]struct{}{}, authz.MaxRoutes},
	} {
		if diff := cmp.Diff(test.want, LeftOutSplits(test.view, test.client)); diff != "" {
			t.Errorf("%s: left out are (-want +got):\n%s", name, diff)
		}
		if got := MaxSplitRoutes(test.view, test.client, "a"); got != test.routes {
			t.Errorf("%s: %d routes, want %d", name, got, test.routes)
		}
	}
}
