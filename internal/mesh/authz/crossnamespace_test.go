package authz_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// offering returns a namespace shop whose Services a, b and c have a number of ports and select pods; b has a TrafficSplit to some backends.
// A TrafficTarget lets a client of shop and one of buy call all of them.
func offering(ports, backends int, pods map[string]int) []catalog.Entry {
	entries := []catalog.Entry{
		&catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Namespace{Name: "buy", Monitored: true}, Group("shop", "all", "/.*"),
		Target("shop", SA("shop", "web"), []catalog.TargetRule{HTTP("all")}, SA("buy", "client"), SA("shop", "client")),
	}
	for i, name := range []string{"a", "b", "c"} {
		s := Service("shop", name, name, fmt.Sprintf("10.96.0.%d", i+1), 1, inventory.ProtocolHTTP)
		for number := uint16(2); int(number) <= ports; number++ {
			s.Ports = append(s.Ports, inventory.Port{Number: number, TargetPort: number, Protocol: inventory.ProtocolHTTP})
		}
		entries = append(entries, s)
		for k := range pods[name] {
			entries = append(entries, Pod("shop", fmt.Sprint(name, k), name, "web", fmt.Sprintf("10.%d.%d.%d", i, k>>8, k&255)))
		}
	}
	split := &catalog.TrafficSplit{Name: Name("shop", "split"), Root: Name("shop", "b")}
	for i := range backends {
		split.Backends = append(split.Backends, catalog.SplitBackend{Service: Name("shop", fmt.Sprintf("x%03d", i)), Weight: 1})
	}
	if backends > 0 {
		split.Backends[0].Service = Name("shop", "c")
		entries = append(entries, split)
	}
	return entries
}

// TestEndpointsForOtherNamespacesAreBounded checks that ports, pods and backends of TrafficSplits of one namespace do not multiply in the sidecars of
// clients in another one. A Service that exceeds a bound is left out; others keep their place.
func TestEndpointsForOtherNamespacesAreBounded(t *testing.T) {
	const ports = 100 // with 63 pods, a Service has 6,300 endpoints
	for name, test := range map[string]struct {
		backends int
		pods     map[string]int
		want     string
	}{
		"few pods":                             {0, map[string]int{"a": 3, "b": 3, "c": 3}, "a b c"},
		"as many endpoints as fit":             {0, map[string]int{"a": 63, "b": 63, "c": 63}, "a b c"},
		"a number is rounded up":               {0, map[string]int{"a": 127, "b": 64, "c": 63}, "a c"},
		"the second has too many":              {0, map[string]int{"a": 63, "b": 255, "c": 63}, "a c"},
		"the last has too many":                {0, map[string]int{"a": 127, "b": 31, "c": 63}, "a b"},
		"pods of backends count for the root":  {1, map[string]int{"a": 63, "b": 15, "c": 127}, "a c"},
		"as many backends as fit":              {50, map[string]int{"a": 1, "b": 1, "c": 1}, "a b c"},
		"more backends, counted for each port": {51, map[string]int{"a": 1, "b": 1, "c": 1}, "a c"},
	} {
		t.Run(name, func(t *testing.T) {
			v := Apply(offering(ports, test.backends, test.pods)...).View()
			if diff := cmp.Diff(test.want, namesOf(authz.GrantedServices(v, SA("buy", "client")))); diff != "" {
				t.Errorf("Services of a client elsewhere (-want +got):\n%s", diff)
			}
			if got := namesOf(authz.GrantedServices(v, SA("shop", "client"))); got != "a b c" {
				t.Errorf("a client of the namespace has %s", got)
			}
		})
	}
}

func namesOf(services []entity.Name) string {
	var list []string
	for _, service := range services {
		list = append(list, service.Name)
	}
	return strings.Join(list, " ")
}

// TestPodsAffectClientsElsewhereRarely checks that what a client in another namespace has depends on the number of pods, and that few changes of it have
// an effect.
func TestPodsAffectClientsElsewhereRarely(t *testing.T) {
	c := Apply(offering(1, 0, map[string]int{"a": 1, "b": 1, "c": 1})...)
	v := c.View()
	authz.GrantedServices(v, SA("buy", "client"))
	recorded := map[entity.Dep]bool{}
	for _, dep := range v.Deps() {
		recorded[dep] = true
	}
	effects := ""
	for i := 1; i < 9; i++ {
		count := "-"
		for _, dep := range c.Apply([]catalog.Change{catalog.Set(Pod("shop", fmt.Sprint("a", i), "a", "web", fmt.Sprintf("10.0.0.%d", i)))}) {
			if recorded[dep] && dep.Kind == entity.DepPodCount {
				count = fmt.Sprint(c.View().PodsUpTo(dep.Name))
			}
		}
		effects += count + " "
	}
	if effects != "3 - 7 - - - 15 - " {
		t.Errorf("with each further pod, the count was %s", effects)
	}
}

// TestDestinationsOfOwnClientsAreBounded checks that a namespace cannot fill the sidecars of its own clients without a limit either: the control plane
// has their configuration.
func TestDestinationsOfOwnClientsAreBounded(t *testing.T) {
	const ports, services = 1000, authz.MaxOwnPorts/1000 + 2
	entries := []catalog.Entry{
		&catalog.Namespace{Name: "shop", Monitored: true}, Group("shop", "all", "/.*"), Pod("shop", "web", "web", "web", "10.0.0.1"),
		Target("shop", SA("shop", "web"), []catalog.TargetRule{HTTP("all")}, SA("shop", "client")),
	}
	for i := range services {
		s := Service("shop", fmt.Sprintf("s%02d", i), "web", fmt.Sprintf("10.96.0.%d", i+1), 1, inventory.ProtocolHTTP)
		for number := uint16(2); number <= ports; number++ {
			s.Ports = append(s.Ports, inventory.Port{Number: number, TargetPort: number, Protocol: inventory.ProtocolHTTP})
		}
		entries = append(entries, s)
	}
	v := Apply(entries...).View()
	if got := authz.GrantedServices(v, SA("shop", "client")); len(got) != authz.MaxOwnPorts/ports {
		t.Errorf("the client has %d Services of %d ports", len(got), ports)
	}
	last := authz.Decide(v, authz.Request{Source: SA("shop", "client"), Service: Name("shop", "s11"), Port: 1, Method: "GET", Path: "/"})
	if !last.Always(authz.Reset) || !strings.Contains(last.Answers[0].Missing, "within 10000 ports or 50000 backends") {
		t.Errorf("a request beyond the bound: %+v", last)
	}
	entries = append(entries, &catalog.TrafficSplit{Name: Name("shop", "split"), Root: Name("shop", "s00"), Backends: make([]catalog.SplitBackend, 51)})
	if got := authz.GrantedServices(Apply(entries...).View(), SA("shop", "client")); got[0] != Name("shop", "s01") {
		t.Errorf("the first Service of the client is %s, and has 51,000 backends", got[0])
	}
}
