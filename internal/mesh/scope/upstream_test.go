package scope_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// limited is a setting with the given limit of connections for clients and servers.
func limited(service string, connections uint32, change ...func(*upstream.Policy)) *upstream.Policy {
	u := &upstream.Policy{Kind: upstream.Kind, Name: Name("shop", service), Service: Name("shop", service)}
	u.Connections.MaxConnections = &connections
	u.ConnectionRate = &upstream.RateLimit{Tokens: connections, Interval: time.Minute}
	for _, f := range change {
		f(u)
	}
	return u
}

func splitTo(name, root string, created int64, backends ...string) *catalog.TrafficSplit {
	s := &catalog.TrafficSplit{Name: Name("shop", name), Root: Name("shop", root), Created: time.Unix(created, 0)}
	for _, b := range backends {
		s.Backends = append(s.Backends, catalog.SplitBackend{Service: Name("shop", b), Weight: 1})
	}
	return s
}

// TestUpstreamSettings checks which setting applies to a Service, for its clients and its pods.
func TestUpstreamSettings(t *testing.T) {
	backpressure := limited("v1", 3, func(u *upstream.Policy) { u.Kind = upstream.Backpressure })
	matching := splitTo("match", "root", 0, "v1")
	matching.Matches = []string{"group"}
	for _, test := range []struct {
		name    string
		entries []catalog.Entry
		// v1 and root are the limits of these Services; 0 means none.
		v1, root uint32
	}{
		{"none", nil, 0, 0},
		{"its own", []catalog.Entry{limited("v1", 1)}, 1, 0},
		{"a backpressure", []catalog.Entry{backpressure}, 3, 0},
		{"a setting before a backpressure", []catalog.Entry{backpressure, limited("v1", 1)}, 1, 0},
		{"another Service's", []catalog.Entry{limited("v2", 1)}, 0, 0},
		{"that of the root", []catalog.Entry{limited("root", 2), splitTo("s", "root", 0, "v1", "v2")}, 2, 2},
		{"its own before that of the root", []catalog.Entry{limited("root", 2), limited("v1", 1), splitTo("s", "root", 0, "v1")}, 1, 2},
		{"that of the root of a split by request", []catalog.Entry{limited("root", 2), matching}, 2, 2},
		{"that of the first root by name", []catalog.Entry{
			limited("root", 2), limited("other", 4), splitTo("s", "root", 0, "v1"), splitTo("t", "other", 0, "v1"),
		}, 4, 2},
		{"that of a later root, where the first one's split is older", []catalog.Entry{
			limited("root", 2), splitTo("s", "other", 1, "v2"), splitTo("t", "other", 2, "v1"), limited("other", 4), splitTo("u", "root", 0, "v1"),
		}, 2, 2},
		{"that of the first root that has one", []catalog.Entry{
			limited("root", 2), splitTo("s", "root", 0, "v1"), splitTo("t", "other", 0, "v1"),
		}, 2, 2},
		{"not that of a root whose other split is older", []catalog.Entry{
			limited("root", 2), splitTo("s", "root", 1, "v2"), splitTo("t", "root", 2, "v1"),
		}, 0, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := Apply(append(permissiveMesh(), test.entries...)...)
			client, server := scope.Build(c.View(), trustDomain, scope.Key{Identity: SA("shop", "client")}), scope.Build(c.View(), trustDomain, v1Key)
			for service, want := range map[string]uint32{"v1": test.v1, "root": test.root} {
				if got := clientLimit(client, service); got != want {
					t.Errorf("a client of %s has the limit %d, want %d", service, got, want)
				}
				if got := serverLimit(server, service); got != want {
					t.Errorf("the pod takes %d connections for %s, want %d", got, service, want)
				}
			}
			for _, cluster := range client.Clusters {
				if cluster.Service.Name == "v1" && maxConnections(cluster.Upstream) != test.v1 {
					t.Errorf("the cluster of v1 has the limit %d, want %d", maxConnections(cluster.Upstream), test.v1)
				}
			}
		})
	}
}

var v1Key = scope.Key{Identity: SA("shop", "v1"), Services: "shop/root,shop/v1"}

// permissiveMesh has a pod behind root and v1, and one behind v2.
func permissiveMesh() []catalog.Entry {
	v1, v2 := Pod("shop", "v1-0", "v1", "v1", "10.0.0.1"), Pod("shop", "v2-0", "v2", "v2", "10.0.0.2")
	root := Service("shop", "root", "v1", "10.96.0.1", 80, inventory.ProtocolHTTP)
	// Two ports of v1 share a target port.
	sv1 := Service("shop", "v1", "v1", "10.96.0.2", 80, inventory.ProtocolHTTP)
	sv1.Ports = append(sv1.Ports, inventory.Port{Name: "more", Number: 81, TargetPort: 80, Protocol: inventory.ProtocolHTTP})
	sv2 := Service("shop", "v2", "v2", "10.96.0.3", 80, inventory.ProtocolHTTP)
	return []catalog.Entry{
		&catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Settings{Permissive: true},
		v1, v2, root, sv1, sv2, Slice(root.Name, v1), Slice(sv1.Name, v1), Slice(sv2.Name, v2),
	}
}

func maxConnections(up *scope.Upstream) uint32 {
	if up == nil || up.Connections.MaxConnections == nil {
		return 0
	}
	return *up.Connections.MaxConnections
}

func clientLimit(s *scope.Scope, service string) uint32 {
	for _, o := range s.Outbound {
		if o.Service.Name == service {
			return maxConnections(o.Upstream)
		}
	}
	return 0
}

func serverLimit(s *scope.Scope, service string) uint32 {
	for _, in := range s.Inbound {
		if in.Service.Name == service && in.Limits != nil {
			return in.Limits.Connections.Tokens
		}
	}
	return 0
}

// TestMeshWideHealthChecks checks that mesh-wide health checks keep the settings of a Service.
func TestMeshWideHealthChecks(t *testing.T) {
	often := limited("v1", 1, func(u *upstream.Policy) { u.HealthCheck = &upstream.HealthCheck{Interval: time.Second} })
	c := Apply(append(permissiveMesh(), often, limited("v2", 1), &catalog.Settings{Permissive: true, ActiveHealthChecks: true})...)
	got := map[string]*upstream.HealthCheck{}
	for _, cluster := range scope.Build(c.View(), trustDomain, scope.Key{Identity: SA("shop", "client")}).Clusters {
		got[cluster.Service.Name] = cluster.Upstream.HealthCheck
	}
	want := map[string]*upstream.HealthCheck{"root": {}, "v1": {Interval: time.Second}, "v2": {}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}
}

// TestRetries checks which Retry applies to a client.
func TestRetries(t *testing.T) {
	again := func(name, source string, created int64, count uint32, services ...string) *retry.Policy {
		r := &retry.Policy{Name: Name("shop", name), Source: SA("shop", source), Created: time.Unix(created, 0)}
		r.Settings.Count = count
		for _, s := range services {
			r.Destinations = append(r.Destinations, Name("shop", s))
		}
		return r
	}
	on := &catalog.Settings{Permissive: true, RetryPolicies: true}
	for _, test := range []struct {
		name    string
		entries []catalog.Entry
		want    map[string]uint32
	}{
		{"off", []catalog.Entry{again("r", "client", 0, 1, "v1")}, map[string]uint32{}},
		{"on", []catalog.Entry{on, again("r", "client", 0, 1, "root", "v1")}, map[string]uint32{"root": 1, "v1": 1}},
		{"of another client", []catalog.Entry{on, again("r", "other", 0, 1, "v1")}, map[string]uint32{}},
		{"the oldest", []catalog.Entry{on, again("a", "client", 2, 2, "v1", "v2"), again("b", "client", 1, 1, "v1")}, map[string]uint32{"v1": 1, "v2": 2}},
	} {
		got := map[string]uint32{}
		for _, r := range scope.Build(Apply(append(permissiveMesh(), test.entries...)...).View(), trustDomain, scope.Key{Identity: SA("shop", "client")}).Retries {
			got[r.Service.Name] = r.Policy.Count
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
