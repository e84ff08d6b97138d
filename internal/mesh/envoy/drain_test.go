package envoy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// Only permissions of TCP ports belong to a chain that is drained.
func TestDrainedChain(t *testing.T) {
	for extension, want := range map[string]string{
		"l4_rbac|inbound_shop/db_3306_tcp":              "inbound_shop/db_3306_tcp",
		"l4_rbac|inbound_shop/db_3306_tcp-server-first": "inbound_shop/db_3306_tcp-server-first",
		"l4_rbac|inbound_shop/web_80_http":              "",
		"l4_rbac|inbound_shop/web_80_grpc":              "",
		"l4_local_rate_limit|inbound_shop/db_3306_tcp":  "",
	} {
		chain, drained := envoy.DrainedChain(extension)
		if drained != (want != "") || drained && chain != want {
			t.Errorf("%s: chain %q, %t, want %q", extension, chain, drained, want)
		}
	}
}

func TestLosesPrincipal(t *testing.T) {
	all := []string{envoy.EveryPrincipal}
	for name, test := range map[string]struct {
		before, after []string
		want          bool
	}{
		"nothing changes":             {[]string{"a"}, []string{"a"}, false},
		"a client is added":           {[]string{"a"}, []string{"a", "b"}, false},
		"a client is removed":         {[]string{"a", "b"}, []string{"a"}, true},
		"the last client is removed":  {[]string{"a"}, nil, true},
		"one client replaces another": {[]string{"a"}, []string{"b"}, true},
		"permissive mode begins":      {[]string{"a"}, all, false},
		"permissive mode ends":        {all, []string{"a"}, true},
	} {
		if got := envoy.LosesPrincipal(test.before, test.after, envoy.EveryPrincipal); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
}

// A namespace that stops being permissive takes permissions from its TCP ports, and from no HTTP port.
func TestStrictNamespaceLosesPrincipals(t *testing.T) {
	yes, no := true, false
	db := Pod("shop", "db", "db", "db", "10.0.0.1")
	tcp, http := Service("shop", "db", "db", "10.96.0.1", 3306, inventory.ProtocolTCP), Service("shop", "web", "db", "10.96.0.2", 80, inventory.ProtocolHTTP)
	c := Apply(&catalog.Namespace{Name: "shop", Monitored: true, Permissive: &yes}, db, tcp, http, Slice(tcp.Name, db), Slice(http.Name, db))
	principals := func() map[string][]string {
		all := map[string][]string{}
		for _, r := range envoy.Build(scope.Build(c.View(), "cluster.local", scope.KeyFor(c.View(), db))) {
			if names, ok := envoy.NetworkPrincipals(r); ok {
				all[r.Name] = names
			}
		}
		return all
	}
	const name = "l4_rbac|inbound_shop/db_3306_tcp"
	for _, test := range []struct {
		permissive *bool
		want       map[string][]string
	}{{&yes, map[string][]string{name: {envoy.EveryPrincipal}}}, {&no, map[string][]string{name: nil}}, {&yes, map[string][]string{name: {envoy.EveryPrincipal}}}} {
		c.Apply([]catalog.Change{catalog.Set(&catalog.Namespace{Name: "shop", Monitored: true, Permissive: test.permissive})})
		if diff := cmp.Diff(test.want, principals()); diff != "" {
			t.Errorf("permissive %t (-want +got):\n%s", *test.permissive, diff)
		}
	}
}
