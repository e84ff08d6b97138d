package explain_test

import (
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// exporter is the mesh of the peer west, which exports shop/cart to this mesh and knows it as east. It admits front/till to /a.
func exporter(more ...catalog.Entry) []catalog.Entry {
	cart := Pod("shop", "cart-0", "cart", "cart", "10.0.0.9")
	target := Target("carts", cart.Identity(), []catalog.TargetRule{HTTP("a")})
	target.PeerSources = []identity.PeerAccount{{Peer: "east", Namespace: "front", Name: "till"}}
	return append([]catalog.Entry{
		&catalog.Namespace{Name: "shop", Monitored: true}, cart, Service("shop", "cart", "cart", "10.96.0.8", 80, inventory.ProtocolHTTP), Slice(Name("shop", "cart"), cart),
		Peer("east", "east.example"), &catalog.ServiceExport{Name: Name("shop", "cart"), Peer: "east"}, target, Group("shop", "a", "/a"),
	}, more...)
}

// TestJoin checks the answers of two meshes to calls of an imported Service, from the side of the client.
func TestJoin(t *testing.T) {
	for name, test := range map[string]struct {
		question    string
		here, there []catalog.Entry
		knownAs     string
		headline    string
		want        []string
	}{
		"allowed": {
			"front/sa/till to shop/cart GET /a", importing(), exporter(), "east", "ALLOWED by both clusters",
			[]string{
				"In this cluster:\n\nServiceAccount front/till -> Service shop/cart: GET /a\nALLOWED",
				"In the cluster of the peer west (context west-admin, mesh osm, which knows this mesh as east):\n\nServiceAccount front/till of the peer east -> Service shop/cart: GET /a\nALLOWED by TrafficTarget shop/carts\n",
			},
		},
		"denied there": {
			"front/sa/till to shop/cart GET /b", importing(), exporter(), "east", "DENIED by the cluster of the peer west",
			[]string{"not found: status 404", "This would allow it:", "name: east/till\n"},
		},
		"not exported any more": {
			"front/sa/till to shop/cart GET /a", importing(), exporter(&catalog.ServiceExport{Name: Name("shop", "cart"), Peer: "south"}), "east", "DENIED by the cluster of the peer west",
			[]string{"the ServiceExport shop/cart is for the peer south"},
		},
		"not known yet here": {
			"front/sa/till to shop/cart GET /a", withoutOffer(importing(), "cart"), exporter(), "east", "DENIED by this cluster",
			[]string{"It does not offer the Service to this mesh", "ALLOWED by TrafficTarget shop/carts"},
		},
		"another account": {"shop/sa/web to shop/cart GET /a", importing(), exporter(), "east", "DENIED by both clusters", []string{"name: east/web\n"}},
		"no MeshPeer there": {
			"front/sa/till to shop/cart GET /a", importing(), exporter(), "", "DENIED by the cluster of the peer west",
			[]string{"mesh osm):\n\nDENIED\n\n  missing: mesh osm has no MeshPeer for this mesh that is accepted\n       do: apply there the output of `osm peer show NAME`"},
		},
		"no Service there": {
			"front/sa/till to shop/stock", importing(), exporter(), "east", "DENIED by the cluster of the peer west", []string{"missing: no service named stock found in namespace shop"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			checkJoint(t, test.question, test.here, test.there, test.knownAs, test.headline, test.want)
		})
	}
}

// TestJoinFromPeer checks the answers to calls of a Service that this cluster exports.
func TestJoinFromPeer(t *testing.T) {
	web := Service("shop", "web", "", "10.96.0.7", 80, inventory.ProtocolHTTP)
	web.Selector = nil
	west := func(more ...catalog.Entry) []catalog.Entry {
		return append([]catalog.Entry{
			&catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Namespace{Name: "front", Monitored: true}, Peer("east", "east.example"), web,
			&catalog.ServiceAccount{Name: Name("front", "till"), UID: "1"}, Pod("front", "till-0", "till", "till", "10.0.0.3"),
		}, more...)
	}
	offer := ImportOf("east", web.Name, 80, SA("shop", "web"), SA("front", "till"))
	for name, test := range map[string]struct {
		question string
		there    []catalog.Entry
		headline string
		want     []string
	}{
		"allowed":      {"west/front/sa/till to shop/web GET /a", west(offer...), "ALLOWED by both clusters", []string{"ServiceAccount front/till -> Service shop/web: GET /a", "import: from the peer east"}},
		"by account":   {"west/front/sa/till to shop/sa/web GET /a", west(offer...), "ALLOWED by both clusters", nil},
		"not imported": {"west/front/sa/till to shop/web GET /a", west(), "DENIED by the cluster of the peer west", []string{"mesh osm does not import Service shop/web from this mesh", "`osm peer import shop/web --from east --port PORT`"}},
		"no account":   {"west/front/sa/other to shop/web GET /b", west(offer...), "DENIED by the cluster of the peer west", []string{"missing: no serviceaccount named other found in namespace front"}},
		"rules":        {"west/front/sa/till to shop/web GET /c", west(offer...), "DENIED by this cluster", []string{"not found: status 404"}},
	} {
		t.Run(name, func(t *testing.T) {
			checkJoint(t, test.question, exporting(), test.there, "east", test.headline, test.want)
		})
	}
}

func checkJoint(t *testing.T, question string, here, there []catalog.Entry, knownAs, headline string, want []string) {
	t.Helper()
	m := mesh(Apply(here...), here...)
	q, err := explain.ParseQuestion(strings.Fields(question), nil, "default")
	if err != nil {
		t.Fatal(err)
	}
	peer, err := m.PeerOf(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	joint, err := explain.Join(t.Context(), m, explain.Other{Mesh: mesh(Apply(there...), there...), Context: "west-admin", KnownAs: knownAs}, peer.Name, q)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := joint.Print(&text); err != nil {
		t.Fatal(err)
	}
	if joint.Headline() != headline || joint.Allowed != strings.HasPrefix(headline, "ALLOWED") || joint.Unknown() {
		t.Errorf("the headline is %q, want %q:\n%s", joint.Headline(), headline, text.String())
	}
	for _, part := range want {
		if !strings.Contains(text.String(), part) {
			t.Errorf("the answer does not have %q:\n%s", part, text.String())
		}
	}
}

// TestJoinUnknown checks that an answer is unknown if this cluster does not know what the peer offers, and the peer allows the call.
func TestJoinUnknown(t *testing.T) {
	entries, there := withoutOffer(importing(), "cart"), exporter()
	m := mesh(Apply(entries...), entries...)
	m.Offers = func(string) explain.Offers { return explain.Offers{Unknown: "nobody answers"} }
	for question, unknown := range map[string]bool{"front/sa/till to shop/cart GET /a": true, "front/sa/till to shop/cart GET /b": false} {
		q, err := explain.ParseQuestion(strings.Fields(question), nil, "default")
		if err != nil {
			t.Fatal(err)
		}
		joint, err := explain.Join(t.Context(), m, explain.Other{Mesh: mesh(Apply(there...), there...), KnownAs: "east"}, "west", q)
		if err != nil {
			t.Fatal(err)
		}
		if joint.Allowed || joint.Unknown() != unknown || strings.HasPrefix(joint.Headline(), "UNKNOWN") != unknown {
			t.Errorf("%s: %s, unknown is %t", question, joint.Headline(), joint.Unknown())
		}
	}
}

// TestPeerOf checks for which questions no peer can be asked.
func TestPeerOf(t *testing.T) {
	entries := importing(&catalog.ServiceImport{Name: Name("shop", "stock"), Peer: "south"})
	m := mesh(Apply(entries...), entries...)
	for question, want := range map[string]string{
		"front/sa/till to shop/web":     "Service shop/web is not imported from a peer, so the call stays in this cluster: omit --peer-context",
		"front/sa/till to shop/sa/web":  "ServiceAccount shop/web is not imported",
		"front/sa/till to shop/stock":   "there is no MeshPeer south",
		"north/front/sa/x to shop/web":  "there is no MeshPeer north",
		"front/sa/till to shop/nothing": "named nothing found",
	} {
		q, err := explain.ParseQuestion(strings.Fields(question), nil, "default")
		if err != nil {
			t.Fatal(err)
		}
		if peer, err := m.PeerOf(t.Context(), q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %q", question, peer, err, want)
		}
	}
}
