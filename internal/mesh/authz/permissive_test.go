package authz_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestPermissiveNamespaces checks that a namespace's override applies to its Services before the mesh-wide setting,
// and not to its clients.
func TestPermissiveNamespaces(t *testing.T) {
	yes, no := true, false
	for _, test := range []struct {
		name       string
		mesh       bool
		shop, buy  *bool
		want       authz.Outcome
		permissive bool
	}{
		{"neither", false, nil, nil, authz.Refused, false},
		{"the mesh", true, nil, nil, authz.Allowed, true},
		{"the destination's namespace", false, &yes, nil, authz.Allowed, true},
		{"the client's namespace has no effect", false, nil, &yes, authz.Refused, false},
		{"a strict namespace in a permissive mesh", true, &no, nil, authz.Reset, false},
		{"a strict caller in a permissive mesh", true, nil, &no, authz.Allowed, true},
		{"override equal to the mesh", false, &no, nil, authz.Refused, false},
	} {
		entries := append(shop(), &catalog.Settings{Permissive: test.mesh}, &catalog.Namespace{Name: "shop", Monitored: true, Permissive: test.shop},
			&catalog.Namespace{Name: "buy", Monitored: true, Permissive: test.buy}, &catalog.Namespace{Name: "open", Monitored: true},
			Pod("open", "x", "x", "x", "10.0.0.9"), Service("open", "x", "x", "10.96.0.9", 80, inventory.ProtocolHTTP))
		v := Apply(entries...).View()
		r := authz.Request{Source: SA("buy", "stranger"), Service: Name("shop", "legacy"), Port: 80, Method: "GET", Path: "/"}
		got := authz.Decide(v, r)
		if !got.Always(test.want) || got.Answers[0].Permissive != test.permissive {
			t.Errorf("%s: %+v, want %s", test.name, got, test.want)
		}
		r.Service, r.Port = Name("shop", "db"), 3306
		if got := authz.Decide(v, r); !got.Always(test.want) {
			t.Errorf("%s: over TCP %+v, want %s", test.name, got, test.want)
		}
	}
}

// TestStrictNamespaceRequiresPolicies checks that policies apply in a strict namespace of a permissive mesh.
func TestStrictNamespaceRequiresPolicies(t *testing.T) {
	no := false
	v := Apply(shop(&catalog.Settings{Permissive: true}, &catalog.Namespace{Name: "shop", Monitored: true, Permissive: &no})...).View()
	r := authz.Request{Source: SA("buy", "buyer"), Service: Name("shop", "web"), Port: 80, Method: "GET", Path: "/books/1"}
	if got := authz.Decide(v, r); !got.Always(authz.Allowed) || len(got.Answers[0].Policies) == 0 {
		t.Errorf("what a policy grants = %+v, want it allowed by the policy", got)
	}
	r.Path = "/admin"
	if got := authz.Decide(v, r); got.May(authz.Allowed) {
		t.Errorf("what no policy grants = %+v, want it denied", got)
	}
}

// TestThreat35MissingRules checks that a rule without its route, or of a skipped kind, grants nothing and leaves the
// other rules in force.
func TestThreat35MissingRules(t *testing.T) {
	web, buyer := SA("shop", "web"), SA("buy", "buyer")
	group, ports := Group("shop", "paths", "/a", "/b"), &catalog.TCPRoute{Name: Name("shop", "ports"), Ports: []uint16{80}}
	for _, test := range []struct {
		name  string
		rules []catalog.TargetRule
		osm   bool
		// http and tcp are whether the client may connect to a port of that protocol; routes is the number of granted matches.
		http, tcp bool
		routes    int
	}{
		{"no rules", nil, false, false, false, 0},
		{"all matches", []catalog.TargetRule{HTTP("paths")}, false, true, false, 2},
		{"no matches, as OSM reads it", []catalog.TargetRule{HTTP("paths")}, true, false, false, 0},
		{"matches that are named count for OSM too", []catalog.TargetRule{HTTP("paths"), HTTP("paths", "/b")}, true, true, false, 1},
		{"a missing group", []catalog.TargetRule{HTTP("none"), HTTP("paths", "/a")}, false, true, false, 1},
		{"only a missing group", []catalog.TargetRule{HTTP("none")}, false, false, false, 0},
		{"a missing TCPRoute opens nothing", []catalog.TargetRule{TCP("none")}, false, false, false, 0},
		{"a missing TCPRoute leaves the other", []catalog.TargetRule{TCP("none"), TCP("ports")}, false, true, true, 0},
		{"a missing TCPRoute never widens", []catalog.TargetRule{TCP("none"), HTTP("paths")}, false, false, false, 0},
		{"a missing group leaves the TCPRoute", []catalog.TargetRule{HTTP("none"), TCP("ports")}, false, true, true, 0},
	} {
		v := Apply(&catalog.Settings{EmptyRulesSelectNothing: test.osm}, group, ports, Target("t", web, test.rules, buyer)).View()
		http := authz.InboundRules(v, web, 80, inventory.ProtocolHTTP)
		tcp := authz.InboundRules(v, web, 80, inventory.ProtocolTCP)
		if (len(http.Network) > 0) != test.http || (len(tcp.Network) > 0) != test.tcp || len(http.Routes) != test.routes {
			t.Errorf("%s: HTTP %+v, TCP %+v, want %+v", test.name, http, tcp, test)
		}
	}
	v := Apply(group, ports, Target("t", web, []catalog.TargetRule{HTTP("paths"), TCP("ports")})).View()
	if authz.MayConnect(v, buyer, web, 80, inventory.ProtocolHTTP) || authz.MayConnect(v, SA("", ""), web, 80, inventory.ProtocolHTTP) {
		t.Error("a target without sources allows a client")
	}
}
