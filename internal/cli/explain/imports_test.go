package explain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// importing is the shop with an imported Service cart, which the peer west offers to till, and more entries.
func importing(more ...catalog.Entry) []catalog.Entry {
	cart := Service("shop", "cart", "", "10.96.0.8", 80, inventory.ProtocolHTTP)
	cart.Selector = nil
	stock := Service("shop", "stock", "", "10.96.0.9", 3306, inventory.ProtocolTCP)
	stock.Selector = nil
	entries := append([]catalog.Entry{Peer("west", "west.example"), cart, stock}, ImportOf("west", cart.Name, 80, SA("shop", "cart"), SA("front", "till"))...)
	return shop(append(append(entries, ImportOf("west", stock.Name, 3306, SA("shop", "stock"), SA("front", "till"))...), more...)...)
}

// offered replaces what west offers of a Service.
func offered(service string, port uint16, ready bool) catalog.Entry {
	offer := ImportOf("west", Name("shop", service), port, SA("shop", service), SA("front", "till"))[1].(*catalog.PeerService)
	offer.Ports[0].Ready = ready
	return offer
}

// withoutOffer returns entries without what west offers of a Service.
func withoutOffer(entries []catalog.Entry, service string) []catalog.Entry {
	var kept []catalog.Entry
	for _, entry := range entries {
		if entry.Ref().Kind != entity.KindPeerService || entry.Ref().Name.Name != service+"@west" {
			kept = append(kept, entry)
		}
	}
	return kept
}

// TestAskAboutImports checks what is known of Services of a peer.
func TestAskAboutImports(t *testing.T) {
	failover := &catalog.ServiceImport{Name: Name("shop", "web"), Peer: "west", Joined: true}
	allowed := []catalog.Entry{Group("shop", "paths", "/a"), Target("t", SA("shop", "web"), []catalog.TargetRule{HTTP("paths")}, SA("front", "till"))}
	stale := explain.Offers{StaleSince: time.Unix(1_800_000_000, 0)}
	unknown := explain.Offers{Unknown: "no replica runs"}
	for name, test := range map[string]struct {
		question string
		entries  []catalog.Entry
		offers   explain.Offers
		headline string
		want     []string
	}{
		"admitted": {
			"front/sa/till to shop/cart GET /a", importing(),
			explain.Offers{},
			"ALLOWED",
			[]string{"allowed: it reaches the Service of the peer west, which decides about each request\n", "    import: from the peer west. It admits front/till, and has a ready pod\n"},
		},
		"any request":    {"front/sa/till to shop/cart", importing(), explain.Offers{}, "ALLOWED", []string{"import: from the peer west. It admits front/till"}},
		"connections":    {"front/sa/till to shop/stock", importing(), explain.Offers{}, "ALLOWED", []string{"it reaches the Service of the peer west\n"}},
		"without stream": {"front/sa/till to shop/cart GET /a", importing(), stale, "ALLOWED", []string{"before the stream between the control planes ended, at 2027-01-15T08:00:00Z"}},
		"no ready pod":   {"front/sa/till to shop/cart GET /a", importing(offered("cart", 80, false)), explain.Offers{}, "DENIED", []string{"It admits front/till, and has no ready pod", "missing: a ready pod behind the Service of the peer west"}},
		"another account": {
			"shop/sa/web to shop/cart GET /a", importing(),
			explain.Offers{},
			"DENIED",
			[]string{
				"It does not admit shop/web, and has a ready pod",
				"missing: a permission of the peer west. In its cluster, it needs a TrafficTarget with the source {kind: PeerServiceAccount, name: MESH/web, namespace: shop}, where MESH is its MeshPeer of this mesh",
			},
		},
		"another port": {"front/sa/till to shop/cart GET /a", importing(offered("cart", 81, true)), explain.Offers{}, "DENIED", []string{"import: from the peer west. It offers the port 81\n", "missing: port 80 among those that the peer west offers"}},
		"not offered":  {"front/sa/till to shop/cart GET /a", withoutOffer(importing(), "cart"), explain.Offers{}, "DENIED", []string{"It does not offer the Service to this mesh", "`osm peer export shop/cart --to MESH`"}},
		"unknown": {
			"front/sa/till to shop/cart GET /a", withoutOffer(importing(), "cart"), unknown, "UNKNOWN: it depends on what peers offer",
			[]string{"unknown: it depends on what the peer west offers", "import: from the peer west. What it offers is unknown: no replica runs"},
		},
		"no MeshPeer": {
			"front/sa/till to shop/cart GET /a", importing(&catalog.ServiceImport{Name: Name("shop", "cart"), Peer: "wset"}),
			explain.Offers{},
			"DENIED",
			[]string{"import: from the peer wset, which is not accepted", "missing: there is no MeshPeer wset", "Did you mean west?"},
		},
		"failover, a local pod": {
			"front/sa/till to shop/web GET /a", importing(append(allowed, failover, offered("web", 80, true))...),
			explain.Offers{},
			"ALLOWED by TrafficTarget shop/t",
			[]string{"import: from the peer west, while no pod of this cluster is available (failover). It admits front/till, and has a ready pod"},
		},
		"failover, no local pod": {
			"front/sa/till to shop/web GET /a", importing(append(allowed, failover, offered("web", 80, true), Slice(Name("shop", "web")))...),
			explain.Offers{},
			"ALLOWED",
			[]string{"it reaches the Service of the peer west"},
		},
		"failover, unknown, a local pod": {
			"front/sa/till to shop/web GET /a", importing(append(allowed, failover)...), unknown, "ALLOWED by TrafficTarget shop/t",
			[]string{"(failover). What it offers is unknown: no replica runs"},
		},
		"failover, unknown, no local pod": {
			"front/sa/till to shop/web GET /a", importing(append(allowed, failover, Slice(Name("shop", "web")))...), unknown, "UNKNOWN", nil,
		},
		"with a selector": {
			"front/sa/till to shop/web GET /a", importing(append(allowed, &catalog.ServiceImport{Name: Name("shop", "web"), Peer: "west"})...),
			explain.Offers{},
			"ALLOWED by TrafficTarget shop/t",
			[]string{"import: the ServiceImport from the peer west is not used, because the Service has a selector"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := mesh(Apply(test.entries...), test.entries...)
			m.Offers = func(string) explain.Offers { return test.offers }
			answer := askMesh(t, m, test.question)
			text := printed(t, answer)
			if !strings.HasPrefix(answer.Headline(), test.headline) || answer.Allowed != strings.HasPrefix(test.headline, "ALLOWED") {
				t.Errorf("the headline is %q, want %q", answer.Headline(), test.headline)
			}
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("the answer does not have %q:\n%s", want, text)
				}
			}
			if len(answer.Remedy) > 0 {
				t.Errorf("a remedy in this cluster:\n%s", text)
			}
		})
	}
}
