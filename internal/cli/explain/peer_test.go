package explain_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

var westTill = identity.PeerAccount{Peer: "west", Namespace: "front", Name: "till"}

// exporting is the shop with the peer west, to which web is exported. It admits an account of west to /a, and another one to /b.
func exporting(more ...catalog.Entry) []catalog.Entry {
	a := Target("a", SA("shop", "web"), []catalog.TargetRule{HTTP("a")})
	a.PeerSources = []identity.PeerAccount{westTill}
	b := Target("b", SA("shop", "web"), []catalog.TargetRule{HTTP("b")})
	b.PeerSources = []identity.PeerAccount{{Peer: "west", Namespace: "front", Name: "other"}}
	return shop(append([]catalog.Entry{
		Peer("west", "west.example"), &catalog.ServiceExport{Name: Name("shop", "web"), Peer: "west"}, a, b, Group("shop", "a", "/a"), Group("shop", "b", "/b"),
	}, more...)...)
}

// TestAskForPeer checks what an account of a peer may call, and why not.
func TestAskForPeer(t *testing.T) {
	web, none := Name("shop", "web"), []catalog.Entry(nil)
	for name, test := range map[string]struct {
		question string
		more     []catalog.Entry
		allowed  bool
		// want are parts of the answer, not are no parts of it.
		want, not []string
	}{
		"admitted": {
			"west/front/sa/till to shop/web GET /a", none, true,
			[]string{"ServiceAccount front/till of the peer west -> Service shop/web: GET /a\nALLOWED by TrafficTarget shop/a\n", "it reaches the application, if the peer imports the Service"},
			[]string{"missing"},
		},
		"any request": {
			"west/front/sa/till to shop/web", none, true,
			[]string{"ALLOWED by TrafficTarget shop/a", "may send: any method /a  (TrafficTarget shop/a)"},
			[]string{"/b"},
		},
		"to the pods of a service account": {"west/front/sa/till to shop/sa/web GET /a", none, true, []string{"ALLOWED"}, nil},
		"with a limit": {
			"west/front/sa/till to shop/web GET /a",
			[]catalog.Entry{&upstream.Policy{Kind: entity.KindUpstreamTrafficSetting, Name: Name("shop", "limits"), Service: web, ConnectionRate: &upstream.RateLimit{Tokens: 5, Interval: 1e9}}},
			true,
			[]string{"limit: 5 connections in 1s for each pod"},
			nil,
		},
		"rules do not match": {
			"west/front/sa/till to shop/web GET /b", none, false,
			[]string{"forbidden: status 403", "west/front/till among the sources of a TrafficTarget that grants GET /b, such as shop/b", "kind: PeerServiceAccount\n    name: west/till\n    namespace: front\n", "This would allow it:"},
			[]string{"kind: ServiceExport"},
		},
		"granted to nobody": {
			"west/front/sa/till to shop/web GET /c", none, false,
			[]string{"not found: status 404", "may send: any method /a", "pathRegex: /c\n", "name: west-till-to-web\n"},
			nil,
		},
		"no TrafficTarget": {
			"west/front/sa/guest to shop/web GET /a", none, false,
			[]string{"unavailable: the Service is not offered to the account, so its connections are reset", "missing: a TrafficTarget in namespace shop from west/front/guest to shop/web", "name: west/guest\n"},
			[]string{"kind: ServiceExport"},
		},
		"not exported": {
			"west/front/sa/till to shop/db", none, false,
			[]string{"missing: a ServiceExport shop/db with the label openservicemesh.io/peer: west", "kind: ServiceExport\n", "openservicemesh.io/peer: west\n", "kind: TCPRoute", "This would allow it:"},
			nil,
		},
		"exported to another peer": {
			"west/front/sa/till to shop/web GET /a",
			[]catalog.Entry{&catalog.ServiceExport{Name: web, Peer: "south"}},
			false,
			[]string{"the ServiceExport shop/web is for the peer south", "do: set its label openservicemesh.io/peer to Any"},
			[]string{"This would allow it", "kind: ServiceExport"},
		},
		"no MeshPeer": {
			"wets/front/sa/till to shop/web GET /a", none, false,
			[]string{"missing: there is no MeshPeer wets", "do: apply the output of `osm peer show NAME` of the other mesh. Did you mean west?", "The missing policies (other requirements are missing as well):"},
			nil,
		},
		"names of an older peer": {
			"zwest/front/sa/till to shop/web GET /a",
			[]catalog.Entry{Peer("zwest", "west.example")},
			false,
			[]string{"the peer zwest is not accepted: its accounts could have the same names as those of the older MeshPeer west"},
			nil,
		},
		"permissive mode": {
			"west/front/sa/guest to shop/web GET /a",
			[]catalog.Entry{&catalog.Settings{Permissive: true}},
			false,
			[]string{"DENIED", "Permissive mode never includes peers: a TrafficTarget must name the account."},
			nil,
		},
		"no pod": {
			"west/front/sa/till to shop/web GET /a",
			[]catalog.Entry{Slice(web)},
			false,
			[]string{"unavailable: status 503", "missing: a ready pod with a sidecar behind shop/web"},
			[]string{"This would allow it"},
		},
		"outside the mesh": {
			"west/front/sa/till to out/svc/far",
			[]catalog.Entry{Service("out", "far", "far", "10.96.0.7", 80, "http")},
			false,
			[]string{"namespace out of Service out/far is not part of mesh osm"},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			answer := evaluate(t, test.question, exporting(test.more...)...)
			text := printed(t, answer)
			if answer.Allowed != test.allowed || answer.Peer == "" {
				t.Errorf("allowed is %t, want %t", answer.Allowed, test.allowed)
			}
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("the answer does not have %q:\n%s", want, text)
				}
			}
			for _, not := range test.not {
				if strings.Contains(text, not) {
					t.Errorf("the answer has %q:\n%s", not, text)
				}
			}
		})
	}
}

// TestPeersThatSidecarsOmit checks that what policies allow is denied where the sidecar of the destination does not have the clients of a peer.
func TestPeersThatSidecarsOmit(t *testing.T) {
	sql := &catalog.TCPRoute{Name: Name("shop", "sql"), Ports: []uint16{3306}}
	many := Target("many", SA("shop", "db"), []catalog.TargetRule{TCP("sql")})
	for i := range scope.MaxPeerChains {
		many.PeerSources = append(many.PeerSources, identity.PeerAccount{Peer: "west", Namespace: "front", Name: fmt.Sprintf("a%d", i)})
	}
	export := &catalog.ServiceExport{Name: Name("shop", "db"), Peer: "west"}
	if answer := evaluate(t, "west/front/sa/a0 to shop/db", exporting(sql, many, export)...); !answer.Allowed {
		t.Errorf("within the limit, the answer is\n%s", printed(t, answer))
	}
	more := *many
	more.PeerSources = append(more.PeerSources, westTill)
	answer := evaluate(t, "west/front/sa/a0 to shop/db", exporting(sql, &more, export)...)
	if text := printed(t, answer); answer.Allowed || !strings.Contains(text, "missing: at most 64 filter chains for peers in the sidecar") || len(answer.Remedy) > 0 {
		t.Errorf("beyond the limit, the answer is\n%s", text)
	}
	old := Pod("shop", "web-0", "web", "web", "10.0.0.1")
	old.Injected, old.OSMSidecar = false, true
	answer = evaluate(t, "west/front/sa/till to shop/web GET /a", exporting(old)...)
	if text := printed(t, answer); answer.Allowed || !strings.Contains(text, "those of Open Service Mesh admit no accounts of peers") {
		t.Errorf("with a sidecar of Open Service Mesh, the answer is\n%s", text)
	}
}

func printed(t *testing.T, answer *explain.Answer) string {
	t.Helper()
	var text strings.Builder
	if err := answer.Print(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// TestRemedyForPeer checks that what is offered for an account of a peer allows the call, and nothing to a local account of the same name.
func TestRemedyForPeer(t *testing.T) {
	for _, question := range []string{"west/front/sa/guest to shop/web GET /a", "west/front/sa/guest to shop/web", "west/front/sa/till to shop/db", "west/front/sa/till to shop/web GET /c"} {
		entries := exporting()
		answer := evaluate(t, question, entries...)
		for _, object := range answer.Remedy {
			var entry catalog.Entry
			switch object.GetKind() {
			case "ServiceExport":
				entry, _ = ingest.ServiceExport(object)
			case "HTTPRouteGroup":
				entry, _ = ingest.HTTPRouteGroup(object)
			case "TCPRoute":
				entry, _ = ingest.TCPRoute(object)
			default:
				entry, _ = ingest.TrafficTarget(object)
			}
			entries = append(entries, entry)
		}
		if after := evaluate(t, question, entries...); answer.Allowed || !after.Allowed || !answer.RemedySuffices {
			t.Errorf("%s: with the remedy, the answer is\n%s", question, printed(t, after))
		}
		local := "front/sa/till" + question[strings.Index(question, " "):]
		if evaluate(t, local, entries...).Allowed {
			t.Errorf("the remedy for %q allows %s", question, local)
		}
	}
}

// TestPeerProblems checks that the status of a MeshPeer denies what policies allow.
func TestPeerProblems(t *testing.T) {
	entries := exporting()
	m := mesh(Apply(entries...), entries...)
	m.PeerProblems = func(peer string) []diagnosis.Finding {
		return []diagnosis.Finding{diagnosis.Fail("commit the roots", "no root of the peer %s is valid", peer)}
	}
	answer := askMesh(t, m, "west/front/sa/till to shop/web GET /a")
	if text := printed(t, answer); answer.Allowed || !strings.Contains(text, "missing: no root of the peer west is valid") || !strings.Contains(text, "do: commit the roots") {
		t.Errorf("the answer is\n%s", text)
	}
}
