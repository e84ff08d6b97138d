package authz_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

func accounts(list ...identity.ServiceAccount) []identity.ServiceAccount { return list }

func TestInbound(t *testing.T) {
	shop, buyer, thief := SA("shop", "web"), SA("buy", "buyer"), SA("steal", "thief")
	group := Group("shop", "paths", "/a", "/b")
	tests := []struct {
		name     string
		entries  []catalog.Entry
		protocol inventory.Protocol
		want     authz.Rules
	}{
		{"no permission without a target", nil, inventory.ProtocolHTTP, authz.Rules{}},
		{"a rule without matches means all matches", []catalog.Entry{group, Target("t", shop, []catalog.TargetRule{HTTP("paths")}, buyer)}, inventory.ProtocolHTTP, authz.Rules{
			Network: []authz.NetworkRule{{Policy: "shop/t", Sources: accounts(buyer)}},
			Routes: []authz.Route{
				{Match: catalog.HTTPMatch{PathRegex: "/a"}, Sources: accounts(buyer), Policies: []string{"shop/t"}},
				{Match: catalog.HTTPMatch{PathRegex: "/b"}, Sources: accounts(buyer), Policies: []string{"shop/t"}},
			},
		}},
		{"two targets that grant one match are one route", []catalog.Entry{
			group, Target("one", shop, []catalog.TargetRule{HTTP("paths", "/a")}, buyer), Target("two", shop, []catalog.TargetRule{HTTP("paths", "/a")}, thief, buyer),
		}, inventory.ProtocolHTTP, authz.Rules{
			Network: []authz.NetworkRule{{Policy: "shop/one", Sources: accounts(buyer)}, {Policy: "shop/two", Sources: accounts(buyer, thief)}},
			Routes:  []authz.Route{{Match: catalog.HTTPMatch{PathRegex: "/a"}, Sources: accounts(buyer, thief), Policies: []string{"shop/one", "shop/two"}}},
		}},
		{"a target without rules grants nothing", []catalog.Entry{Target("t", shop, nil, buyer)}, inventory.ProtocolHTTP, authz.Rules{}},
		{"a match that does not exist grants nothing", []catalog.Entry{group, Target("t", shop, []catalog.TargetRule{HTTP("paths", "none")}, buyer)}, inventory.ProtocolHTTP, authz.Rules{}},
		{"a missing group disables only its rule", []catalog.Entry{group, Target("t", shop, []catalog.TargetRule{HTTP("none"), HTTP("paths", "/b")}, buyer)}, inventory.ProtocolHTTP, authz.Rules{
			Network: []authz.NetworkRule{{Policy: "shop/t", Sources: accounts(buyer)}},
			Routes:  []authz.Route{{Match: catalog.HTTPMatch{PathRegex: "/b"}, Sources: accounts(buyer), Policies: []string{"shop/t"}}},
		}},
		{"a TCP route gives connections to an HTTP port, but no request", []catalog.Entry{&catalog.TCPRoute{Name: Name("shop", "any")}, Target("t", shop, []catalog.TargetRule{TCP("any")}, buyer)}, inventory.ProtocolHTTP, authz.Rules{
			Network: []authz.NetworkRule{{Policy: "shop/t", Sources: accounts(buyer)}},
		}},
		{"a TCP route limits HTTP rules to its ports", []catalog.Entry{group, &catalog.TCPRoute{Name: Name("shop", "other"), Ports: []uint16{81}}, Target("t", shop, []catalog.TargetRule{HTTP("paths"), TCP("other")}, buyer)}, inventory.ProtocolHTTP, authz.Rules{}},
		{"HTTP rules do not open a TCP port", []catalog.Entry{group, Target("t", shop, []catalog.TargetRule{HTTP("paths")}, buyer)}, inventory.ProtocolTCP, authz.Rules{}},
		{"permissive mode allows everybody", []catalog.Entry{&catalog.Settings{Permissive: true}}, inventory.ProtocolHTTP, authz.Rules{Permissive: true, Routes: []authz.Route{{AnySource: true}}}},
		{"permissive mode on TCP has no routes", []catalog.Entry{&catalog.Settings{Permissive: true}}, inventory.ProtocolTCP, authz.Rules{Permissive: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := authz.InboundRules(Apply(test.entries...).View(), shop, 80, test.protocol)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
		})
	}
}

// The client's destinations must agree with what the server allows.
func TestMayConnectAgreesWithInboundRules(t *testing.T) {
	shop, buyer := SA("shop", "web"), SA("buy", "buyer")
	entries := []catalog.Entry{
		Group("shop", "paths", "/a"), &catalog.TCPRoute{Name: Name("shop", "p81"), Ports: []uint16{81}},
		Target("http", shop, []catalog.TargetRule{HTTP("paths")}, buyer), Target("tcp", shop, []catalog.TargetRule{TCP("p81")}, buyer),
	}
	for _, protocol := range []inventory.Protocol{inventory.ProtocolHTTP, inventory.ProtocolGRPC, inventory.ProtocolTCP, inventory.ProtocolTCPServerFirst} {
		for _, port := range []uint16{80, 81} {
			v := Apply(entries...).View()
			connects := authz.MayConnect(v, buyer, shop, port, protocol)
			admitted := len(authz.InboundRules(v, shop, port, protocol).Network) > 0
			if connects != admitted {
				t.Errorf("%s port %d: client may connect is %v, server allows is %v", protocol, port, connects, admitted)
			}
		}
	}
}
