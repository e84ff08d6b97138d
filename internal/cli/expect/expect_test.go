package expect_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/cli/expect"
	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

func shop() explain.Mesh {
	web := Pod("shop", "web-0", "web", "web", "10.0.0.1")
	peers := Target("peers", SA("shop", "web"), []catalog.TargetRule{HTTP("paths")})
	peers.PeerSources = []identity.PeerAccount{{Peer: "west", Namespace: "front", Name: "till"}}
	c := Apply(
		Peer("west", "west.example"), &catalog.ServiceExport{Name: Name("shop", "web"), Any: true}, peers,
		&catalog.Namespace{Name: "shop", Monitored: true}, &catalog.ServiceAccount{Name: Name("shop", "till")}, web,
		Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP), Slice(Name("shop", "web"), web),
		Group("shop", "paths", "/a"), Target("t", SA("shop", "web"), []catalog.TargetRule{HTTP("paths")}, SA("shop", "till")),
	)
	return explain.Mesh{
		Name: "osm", Catalog: c, Exists: func(r entity.Ref) bool { return r.Kind == entity.KindServiceAccount || r.Kind == entity.KindService },
		Account: func(context.Context, string, string, string) (string, bool, error) { return "", false, nil },
	}
}

func TestRun(t *testing.T) {
	tests := []struct {
		subject expect.Case
		want    string
	}{
		{expect.Case{From: "shop/sa/till", To: "shop/svc/web", Request: "GET /a", Want: "allowed", By: "shop/t"}, ""},
		{expect.Case{From: "shop/sa/till", To: "shop/svc/web", Request: "GET /a", Want: "allowed", By: "shop/other"}, "it is allowed by shop/t, not by shop/other"},
		{expect.Case{From: "shop/sa/till", To: "shop/svc/web", Request: "GET /a", Want: "denied"}, "it is allowed by TrafficTarget shop/t"},
		{expect.Case{From: "shop/sa/till", To: "shop/svc/web", Request: "GET /b", Want: "not found"}, ""},
		{expect.Case{From: "shop/sa/till", To: "shop/svc/web", Request: "GET /b", Want: "denied"}, ""},
		{expect.Case{From: "shop/sa/thief", To: "shop/svc/web", Request: "GET /a", Want: "refused"}, ""},
		{expect.Case{From: "shop/sa/thief", To: "shop/svc/web", Want: "denied"}, ""},
		{expect.Case{From: "west/front/sa/till", To: "shop/svc/web", Request: "GET /a", Want: "allowed", By: "shop/peers"}, ""},
		{expect.Case{From: "west/front/sa/till", To: "shop/svc/web", Request: "GET /b", Want: "not found"}, ""},
		{expect.Case{From: "west/shop/sa/till", To: "shop/svc/web", Request: "GET /a", Want: "denied"}, ""},
		{expect.Case{From: "east/front/sa/till", To: "shop/svc/web", Request: "GET /a", Want: "allowed"}, "it is denied, unavailable: missing: a MeshPeer east that is accepted; there is no MeshPeer east"},
		{expect.Case{From: "//", To: "shop/svc/web", Want: "denied"}, `invalid name "//"`},
	}
	for _, test := range tests {
		t.Run(test.subject.Name(), func(t *testing.T) {
			got := expect.Run(t.Context(), shop(), []expect.Case{test.subject})[0].Failure
			if !strings.HasPrefix(got, test.want) || test.want == "" && got != "" {
				t.Errorf("failure %q, want %q", got, test.want)
			}
		})
	}
}

func TestTake(t *testing.T) {
	objects, err := manifests.Decode([]byte("{apiVersion: v1, kind: Pod, metadata: {name: a}}\n---\n{apiVersion: cli.openservicemesh.io/v1alpha1, kind: PolicyTest, cases: [{from: a, to: b, want: allowed}]}"))
	if err != nil {
		t.Fatal(err)
	}
	cases, rest, err := expect.Take(objects)
	if err != nil || len(rest) != 1 {
		t.Fatalf("%d others, %v", len(rest), err)
	}
	if diff := cmp.Diff([]expect.Case{{From: "a", To: "b", Want: "allowed"}}, cases); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{
		"{apiVersion: cli.openservicemesh.io/v1alpha1, kind: PolicyTest, cases: [{from: a, to: b, want: maybe}]}":                "want must be one of",
		"{apiVersion: cli.openservicemesh.io/v1alpha1, kind: PolicyTest, cases: [{from: a, to: b, want: allowed, wants: typo}]}": `unknown field "wants": each of its cases has from, to and want`,
		"{apiVersion: v1, kind: PolicyTest, cases: []}":                                                                          "must be cli.openservicemesh.io/v1alpha1",
	} {
		objects, err := manifests.Decode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := expect.Take(objects); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v should say %q", text, err, want)
		}
	}
}

func TestJUnit(t *testing.T) {
	var text strings.Builder
	results := []expect.Result{{Case: expect.Case{From: "a", To: "b", Want: "denied"}}, {Case: expect.Case{From: "c", To: "d", Request: "GET /", Want: "allowed"}, Failure: `it is "denied"`}}
	if err := expect.JUnit(&text, results); err != nil {
		t.Fatal(err)
	}
	want := `<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="policies" tests="2" failures="1">
  <testcase name="a to b is denied" classname="policies"></testcase>
  <testcase name="c to d GET / is allowed" classname="policies">
    <failure message="it is &#34;denied&#34;"></failure>
  </testcase>
</testsuite>
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
