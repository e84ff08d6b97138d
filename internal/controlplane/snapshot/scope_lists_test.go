package snapshot

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestEqualScopes compares a scope with a copy and with versions that differ in one part.
func TestEqualScopes(t *testing.T) {
	build := func(edit func(*scope.Scope)) *scope.Scope {
		return toService("server", func(s *scope.Scope) {
			s.Inbound = []scope.Inbound{{Service: meshtest.Name("a", "client"), Port: 80}}
			s.Divided = []scope.Cluster{{Service: meshtest.Name("a", "server"), TargetPort: 80}}
			s.Outbound[0].Upstream, s.Clusters[0].Upstream = &scope.Upstream{}, &scope.Upstream{}
			s.Outbound[0].HTTPRoutes = []scope.HTTPRoute{{Backends: []scope.Backend{{Weight: 1}}}}
			s.Retries = []scope.Retry{{Service: meshtest.Name("a", "server")}}
			edit(s)
		})
	}
	for name, test := range map[string]struct {
		edit func(*scope.Scope)
		want bool
	}{
		"a copy":                  {unchanged, true},
		"another outbound port":   {func(s *scope.Scope) { s.Outbound[0].Port = 81 }, false},
		"one destination more":    {func(s *scope.Scope) { s.Outbound = append(s.Outbound, scope.Outbound{}) }, false},
		"another cluster":         {func(s *scope.Scope) { s.Clusters[0].TargetPort = 81 }, false},
		"another divided cluster": {func(s *scope.Scope) { s.Divided[0].TargetPort = 81 }, false},
		"another inbound port":    {func(s *scope.Scope) { s.Inbound[0].Port = 81 }, false},
		"another retry":           {func(s *scope.Scope) { s.Retries[0].Policy.Count = 1 }, false},
		"another TLS version":     {func(s *scope.Scope) { s.TLS.MinVersion = "TLSv1_3" }, false},
		"another weight":          {func(s *scope.Scope) { s.Outbound[0].HTTPRoutes[0].Backends[0].Weight = 2 }, false},
		"other health checks":     {func(s *scope.Scope) { s.Clusters[0].Upstream = nil }, false},
	} {
		if got := equalScopes(build(unchanged), build(test.edit)); got != test.want {
			t.Errorf("%s: the scopes are equal: %t, want %t", name, got, test.want)
		}
	}
}

func equalInts(a, b *int) bool { return *a == *b }

// TestContainsInOrder checks which lists have all elements of another one in its order.
func TestContainsInOrder(t *testing.T) {
	for _, test := range []struct {
		list, all []int
		want      bool
	}{
		{nil, nil, true},
		{[]int{1}, nil, true},
		{nil, []int{1}, false},
		{[]int{1, 2, 3}, []int{1, 3}, true},
		{[]int{1, 2, 3}, []int{1, 2, 3}, true},
		{[]int{1, 2, 3}, []int{3, 1}, false},
		{[]int{1, 2}, []int{1, 2, 2}, false},
		{[]int{1, 2}, []int{4}, false},
	} {
		if got := containsInOrder(test.list, test.all, equalInts); got != test.want {
			t.Errorf("%v contains %v in order: %t, want %t", test.list, test.all, got, test.want)
		}
	}
}

// TestTrimCommonEnds removes what two lists have in common at their ends.
func TestTrimCommonEnds(t *testing.T) {
	for _, test := range []struct {
		a, b, wantA, wantB []int
	}{
		{nil, nil, nil, nil},
		{[]int{1, 2}, []int{1, 2}, nil, nil},
		{[]int{1, 2, 3}, []int{1, 4, 3}, []int{2}, []int{4}},
		{[]int{1, 2, 3}, []int{1, 3}, []int{2}, nil},
		{[]int{1, 3}, []int{1, 2, 3}, nil, []int{2}},
		{[]int{1, 2}, nil, []int{1, 2}, nil},
		{nil, []int{1, 2}, nil, []int{1, 2}},
		{[]int{1, 2}, []int{3, 4}, []int{1, 2}, []int{3, 4}},
		{[]int{1, 1}, []int{1, 1, 1}, nil, []int{1}},
	} {
		if a, b := trimCommonEnds(test.a, test.b, equalInts); !slices.Equal(a, test.wantA) || !slices.Equal(b, test.wantB) {
			t.Errorf("of %v and %v remain %v and %v, want %v and %v", test.a, test.b, a, b, test.wantA, test.wantB)
		}
	}
}

// TestSeparableDestinations checks which destinations can be translated one by one: those whose addresses no other Service claims.
func TestSeparableDestinations(t *testing.T) {
	outbound := func(service string, port, podPort uint16, addresses ...string) scope.Outbound {
		o := scope.Outbound{Service: meshtest.Name("a", service), Port: port, PodPort: podPort}
		for _, address := range addresses {
			o.Addresses = append(o.Addresses, netip.MustParseAddr(address))
		}
		return o
	}
	for name, test := range map[string]struct {
		outbound []scope.Outbound
		want     bool
	}{
		"none":                               {nil, true},
		"other addresses":                    {[]scope.Outbound{outbound("one", 80, 0, "10.0.0.1"), outbound("two", 80, 0, "10.0.0.2")}, true},
		"other ports":                        {[]scope.Outbound{outbound("one", 80, 0, "10.0.0.1"), outbound("two", 81, 0, "10.0.0.1")}, true},
		"one Service twice":                  {[]scope.Outbound{outbound("one", 80, 0, "10.0.0.1"), outbound("one", 80, 0, "10.0.0.1")}, true},
		"the same address and port":          {[]scope.Outbound{outbound("one", 80, 0, "10.0.0.1"), outbound("two", 80, 0, "10.0.0.1")}, false},
		"the same second address":            {[]scope.Outbound{outbound("one", 80, 0, "10.0.0.1", "10.0.0.3"), outbound("two", 80, 0, "10.0.0.2", "10.0.0.3")}, false},
		"the pod port of a headless Service": {[]scope.Outbound{outbound("one", 80, 8080, "10.0.0.1"), outbound("two", 8080, 0, "10.0.0.1")}, false},
		"the third claims the first":         {[]scope.Outbound{outbound("one", 80, 0, "10.0.0.1"), outbound("one", 80, 0, "10.0.0.1"), outbound("two", 80, 0, "10.0.0.1")}, false},
	} {
		if got := isSeparable(test.outbound); got != test.want {
			t.Errorf("%s: separable is %t, want %t", name, got, test.want)
		}
	}
}

// TestReduceKeepsADestination checks which Services are translated again after a change. If one version has no destination of them, another Service stays in both.
func TestReduceKeepsADestination(t *testing.T) {
	destinations := func(services ...string) *scope.Destinations {
		d := &scope.Destinations{}
		for _, service := range services { // its length is what differs
			name, port := meshtest.Name("a", service[:1]), uint16(len(service))
			d.Outbound = append(d.Outbound, scope.Outbound{Service: name, Port: port})
			d.Clusters = append(d.Clusters, scope.Cluster{Service: name, TargetPort: port})
		}
		return d
	}
	for name, test := range map[string]struct {
		before, after *scope.Destinations
		more          []entity.Name
		want          string
	}{
		"one changed":           {destinations("a", "b", "c"), destinations("a", "bb", "c"), nil, "[b] [b] [b] [b]"},
		"one added":             {destinations("a", "c"), destinations("a", "b", "c"), nil, "[a] [a b] [a] [a b]"},
		"one removed":           {destinations("a", "b", "c"), destinations("a", "c"), nil, "[a b] [a] [a b] [a]"},
		"nothing":               {destinations("a", "b"), destinations("a", "b"), nil, "[a] [a] [a] [a]"},
		"another reason":        {destinations("a", "b"), destinations("a", "b"), []entity.Name{meshtest.Name("a", "b")}, "[b] [b] [b] [b]"},
		"the first":             {destinations(), destinations("a"), nil, "none"},
		"the last":              {destinations("a"), destinations(), nil, "none"},
		"all changed, one more": {destinations("a"), destinations("aa", "b"), nil, "[a] [a b] [a] [a b]"},
	} {
		removed, added := reduce(test.before, test.after, test.more...)
		got := "none"
		if removed != nil && added != nil {
			got = fmt.Sprint(servicesOf(removed.Outbound), servicesOf(added.Outbound), clusterServices(removed.Clusters), clusterServices(added.Clusters))
		}
		if got != test.want {
			t.Errorf("%s: the destinations and clusters of both versions are %s, want %s", name, got, test.want)
		}
	}
	for name, edit := range map[string]func(*scope.Destinations){
		"cluster": func(d *scope.Destinations) { d.Clusters[1].TargetPort = 9 }, "port": func(d *scope.Destinations) { d.Outbound[1].Port = 9 },
	} {
		after := destinations("a", "b")
		edit(after)
		removed, added := reduce(destinations("a", "b"), after)
		if got := fmt.Sprint(servicesOf(removed.Outbound), servicesOf(added.Outbound)); got != "[b] [b]" {
			t.Errorf("after a change of one %s, the destinations are those of %s, want [b] [b]", name, got)
		}
	}
}

func servicesOf(list []scope.Outbound) (names []string) {
	for _, o := range list {
		names = append(names, o.Service.Name)
	}
	return names
}

func clusterServices(list []scope.Cluster) (names []string) {
	for _, c := range list {
		names = append(names, c.Service.Name)
	}
	return names
}
