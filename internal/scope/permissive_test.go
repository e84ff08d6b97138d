package scope_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
	"github.com/openservicemesh/osm-operator/internal/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestSharedDestinationsEqualOwn checks that a client with shared destinations has the same scope as with its own, and
// that there are none if no client may use them.
func TestSharedDestinationsEqualOwn(t *testing.T) {
	shared, alone := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := catalog.New()
		c.Apply(rapid.SliceOfN(Change(), 20, 60).Draw(t, "mesh"))
		for _, name := range []string{"one", "two", "three"} {
			key := scope.Key{Identity: SA("a", name)}
			if !scope.UsesSharedDestinations(c.View(), key.Identity) {
				alone++
				continue
			}
			shared++
			shared := scope.SharedDestinations(c.View())
			if shared == nil {
				t.Fatal("a client shares destinations that do not exist")
			}
			want, got := scope.Build(c.View(), trustDomain, key), scope.BuildWithShared(c.View(), identity.OneTrustDomain(trustDomain), key, shared)
			if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{}), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("the scope of %s differs (-alone +shared):\n%s", key.Identity, diff)
			}
		}
	})
	if shared == 0 || alone == 0 {
		t.Errorf("%d clients shared and %d did not: both must have been tried", shared, alone)
	}
}

// TestPermissiveNamespaceLimitsDependencies checks that in a strict mesh with one permissive namespace a new Service
// elsewhere does not affect clients.
func TestPermissiveNamespaceLimitsDependencies(t *testing.T) {
	yes := true
	open := Pod("open", "x", "x", "x", "10.0.0.2")
	c := Apply(&catalog.Namespace{Name: "open", Monitored: true, Permissive: &yes}, &catalog.Namespace{Name: "shop", Monitored: true},
		open, Service("open", "x", "x", "10.96.0.2", 80, catalog.ProtocolHTTP))
	v := c.View()
	s := scope.Build(v, trustDomain, scope.Key{Identity: SA("shop", "client")})
	if diff := cmp.Diff(map[string]string{"open/x:80": "open/x|80=100"}, outbound(s)); diff != "" {
		t.Fatalf("outbound (-want +got):\n%s", diff)
	}
	read := map[catalog.Dep]bool{}
	for _, dep := range v.Deps() {
		read[dep] = true
	}
	for _, test := range []struct {
		namespace string
		want      bool
	}{{"shop", false}, {"open", true}} {
		hit := false
		for _, dep := range c.Apply([]catalog.Change{catalog.Set(Service(test.namespace, "new", "new", "10.96.0.9", 80, catalog.ProtocolHTTP))}) {
			hit = hit || read[dep]
		}
		if hit != test.want {
			t.Errorf("a new Service in namespace %s affects the client: %t, want %t", test.namespace, hit, test.want)
		}
	}
}

// TestStrictNamespaceDrainsConnections checks that open connections are drained when a namespace stops being
// permissive.
func TestStrictNamespaceDrainsConnections(t *testing.T) {
	yes, no := true, false
	db := Pod("shop", "db", "db", "db", "10.0.0.1")
	service := Service("shop", "db", "db", "10.96.0.1", 3306, catalog.ProtocolTCP)
	c := Apply(&catalog.Namespace{Name: "shop", Monitored: true, Permissive: &yes}, db, service, Slice(service.Name, db))
	build := func() *scope.Scope { return scope.Build(c.View(), trustDomain, scope.KeyFor(c.View(), db)) }
	before := build()
	c.Apply([]catalog.Change{catalog.Set(&catalog.Namespace{Name: "shop", Monitored: true, Permissive: &no})})
	strict := build()
	scope.CarryDrainMarks(before, strict)
	if strict.Inbound[0].DrainMark == "" {
		t.Error("a namespace turned strict has no drain mark: open connections outlive their permission")
	}
	c.Apply([]catalog.Change{catalog.Set(&catalog.Namespace{Name: "shop", Monitored: true, Permissive: &yes})})
	again := build()
	scope.CarryDrainMarks(strict, again)
	if again.Inbound[0].DrainMark != strict.Inbound[0].DrainMark {
		t.Error("connections are drained although no source lost a permission")
	}
}
