package scope_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// checkedMesh returns a namespace a whose Service has ports, pods and a setting with health checks. Clients of a and c may call it.
func checkedMesh(ports, pods int, check *upstream.HealthCheck) []catalog.Entry {
	service := Service("a", "server", "server", "172.0.0.1", 80, inventory.ProtocolHTTP)
	for i := range uint16(ports - 1) {
		service.Ports = append(service.Ports, inventory.Port{Number: 1000 + i, TargetPort: 1000 + i, Protocol: inventory.ProtocolHTTP})
	}
	entries := []catalog.Entry{
		&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Namespace{Name: "c", Monitored: true}, service, Group("a", "all", "/"),
		Target("t", SA("a", "server"), []catalog.TargetRule{HTTP("all")}, SA("a", "client"), SA("c", "client")),
	}
	if check != nil {
		entries = append(entries, &upstream.Policy{Kind: upstream.Kind, Name: Name("a", "checks"), Service: service.Name, HealthCheck: check})
	}
	for i := range pods {
		entries = append(entries, Pod("a", fmt.Sprint("server-", i), "server", "server", fmt.Sprintf("10.0.%d.%d", i>>8, i&255)))
	}
	return entries
}

// TestHealthChecksOfOtherNamespacesAreBounded checks that the sidecars of clients in another namespace send few health checks for each namespace, and
// that clients of the namespace, and the setting itself, keep their interval.
func TestHealthChecksOfOtherNamespacesAreBounded(t *testing.T) {
	second := &upstream.HealthCheck{Interval: time.Second, Timeout: 10 * time.Millisecond, UnhealthyThreshold: 7}
	for name, test := range map[string]struct {
		settings    *catalog.Settings
		ports, pods int
		check       *upstream.HealthCheck
		own, other  time.Duration
	}{
		"as often as permitted":  {&catalog.Settings{}, 7, 7, second, time.Second, time.Second},
		"more often":             {&catalog.Settings{}, 8, 7, second, time.Second, 1120 * time.Millisecond},
		"many ports and pods":    {&catalog.Settings{}, 1000, 15, second, time.Second, 5 * time.Minute},
		"the default interval":   {&catalog.Settings{}, 100, 7, &upstream.HealthCheck{}, 0, 14 * time.Second},
		"a few with the default": {&catalog.Settings{}, 10, 7, &upstream.HealthCheck{}, 0, 0},
		"a long interval stays":  {&catalog.Settings{}, 100, 7, &upstream.HealthCheck{Interval: time.Hour}, time.Hour, time.Hour},
		"checks of the mesh":     {&catalog.Settings{ActiveHealthChecks: true}, 100, 7, nil, 0, 14 * time.Second},
		"a permissive mesh":      {&catalog.Settings{Permissive: true}, 100, 7, second, time.Second, 14 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			c := Apply(append(checkedMesh(test.ports, test.pods, test.check), test.settings)...)
			for namespace, want := range map[string]time.Duration{"a": test.own, "c": test.other} {
				s := scope.Build(c.View(), trustDomain, scope.Key{Identity: SA(namespace, "client")})
				if len(s.Clusters) != test.ports {
					t.Fatalf("a client of namespace %s has %d clusters", namespace, len(s.Clusters))
				}
				for _, cluster := range s.Clusters {
					got := *cluster.Upstream.HealthCheck
					if got.Interval != want || test.check != nil && got.UnhealthyThreshold != test.check.UnhealthyThreshold {
						t.Fatalf("a client of namespace %s has %+v, want an interval of %s", namespace, got, want)
					}
				}
			}
		})
	}
	if second.Interval != time.Second {
		t.Errorf("the setting has changed: %+v", second)
	}
}

// TestHealthChecksOfNamespacesAreIndependent checks that the checks of one namespace do not change the interval of another one, and that Services of one
// namespace share the rate.
func TestHealthChecksOfNamespacesAreIndependent(t *testing.T) {
	entries := checkedMesh(100, 7, &upstream.HealthCheck{Interval: time.Second})
	slow := Service("a", "slow", "server", "172.0.0.2", 80, inventory.ProtocolHTTP)
	other := Service("b", "other", "other", "172.0.0.3", 80, inventory.ProtocolHTTP)
	setting := func(service *inventory.Service, interval time.Duration) *upstream.Policy {
		return &upstream.Policy{
			Kind: upstream.Kind, Name: service.Name, Service: service.Name, HealthCheck: &upstream.HealthCheck{Interval: interval},
		}
	}
	entries = append(entries, slow, setting(slow, 5*time.Second), other, setting(other, 2*time.Second), &catalog.Namespace{Name: "b", Monitored: true}, Group("b", "all", "/"),
		Pod("b", "other", "other", "other", "10.1.0.1"), Target("t", SA("b", "other"), []catalog.TargetRule{HTTP("all")}, SA("c", "client")))
	got := map[string]time.Duration{}
	for _, cluster := range scope.Build(Apply(entries...).View(), trustDomain, scope.Key{Identity: SA("c", "client")}).Clusters {
		got[cluster.Service.Name] = cluster.Upstream.HealthCheck.Interval
	}
	if got["server"] != 101*7*time.Second/50 || got["slow"] != got["server"] || got["other"] != 2*time.Second {
		t.Errorf("the intervals are %v", got)
	}
}
