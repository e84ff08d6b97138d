package explain_test

import (
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// said is an answer as people read it.
func said(t *testing.T, question string, headers []string, entries ...catalog.Entry) string {
	t.Helper()
	q, err := explain.ParseQuestion(strings.Fields(question), headers, "default")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := explain.Evaluate(t.Context(), mesh(Apply(entries...), entries...), q)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := answer.Print(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// TestAskAboutSplitsByRequest: the answer names the split that takes the request and the match by which it does.
func TestAskAboutSplitsByRequest(t *testing.T) {
	web, beta, till := SA("shop", "web"), SA("shop", "beta"), SA("front", "till")
	pod := Pod("shop", "beta-0", "beta", "beta", "10.0.0.9")
	service := Service("shop", "web-beta", "beta", "10.96.0.9", 80, inventory.ProtocolHTTP)
	testers := &catalog.HTTPRouteGroup{Name: Name("shop", "testers"), Matches: []catalog.HTTPMatch{{Name: "tester", Headers: []catalog.HeaderMatch{{Name: "x-tester", Regex: "yes"}}}}}
	entries := shop(pod, service, Slice(service.Name, pod), testers, Group("shop", "paths", "/a"),
		Target("web", web, []catalog.TargetRule{HTTP("paths")}, till),
		&catalog.TrafficSplit{Name: Name("shop", "ab"), Root: Name("shop", "web"), Matches: []string{"testers"}, Backends: []catalog.SplitBackend{{Service: service.Name, Weight: 1}}})
	for name, test := range map[string]struct {
		headers []string
		more    []catalog.Entry
		want    []string
		not     string
	}{
		"a tester": {
			[]string{"x-tester: yes"},
			nil,
			[]string{"DENIED", "by TrafficSplit shop/ab (match tester of HTTPRouteGroup shop/testers) to shop/web-beta, ServiceAccount shop/beta", "name: till-to-beta"},
			"ServiceAccount shop/web\n",
		},
		"a tester who may": {
			[]string{"x-tester: yes"},
			[]catalog.Entry{Target("beta", beta, []catalog.TargetRule{HTTP("paths")}, till)},
			[]string{"ALLOWED by TrafficTarget shop/beta", "by TrafficSplit shop/ab (match tester of HTTPRouteGroup shop/testers) to shop/web-beta"},
			"ServiceAccount shop/web\n",
		},
		"somebody else": {nil, nil, []string{"ALLOWED by TrafficTarget shop/web", "ServiceAccount shop/web\n"}, "TrafficSplit"},
		"no weight": {
			[]string{"x-tester: yes"},
			[]catalog.Entry{&catalog.TrafficSplit{Name: Name("shop", "ab"), Root: Name("shop", "web"), Matches: []string{"testers"}}},
			[]string{"DENIED", "by TrafficSplit shop/ab (match", "status 503", "missing: a backend in the TrafficSplit shop/ab of shop/web that has this port and a weight"},
			"This would allow",
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := said(t, "front/sa/till shop/svc/web GET /a", test.headers, append(entries, test.more...)...)
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("the answer does not have %q:\n%s", want, text)
				}
			}
			if strings.Contains(text, test.not) {
				t.Errorf("the answer has %q:\n%s", test.not, text)
			}
		})
	}
	text := said(t, "front/sa/till shop/svc/web", nil, entries...)
	for _, want := range []string{"by TrafficSplit shop/ab (match tester of HTTPRouteGroup shop/testers) to shop/web-beta", "ServiceAccount shop/web\n", "PARTLY ALLOWED"} {
		if !strings.Contains(text, want) {
			t.Errorf("the answer about any request does not have %q:\n%s", want, text)
		}
	}
}

// The answer shows which part of the requests each backend of a split gets.
func TestAskShowsSharesOfSplit(t *testing.T) {
	service := Service("shop", "web-beta", "beta", "10.96.0.9", 80, inventory.ProtocolHTTP)
	entries := shop(service, Group("shop", "paths", "/a"), Target("web", SA("shop", "web"), []catalog.TargetRule{HTTP("paths")}, SA("front", "till")),
		&catalog.TrafficSplit{Name: Name("shop", "ab"), Root: Name("shop", "web"), Backends: []catalog.SplitBackend{{Service: Name("shop", "web"), Weight: 20}, {Service: service.Name, Weight: 80}}})
	got := said(t, "front/sa/till shop/svc/web GET /a", nil, entries...)
	for _, want := range []string{"PARTLY ALLOWED", "to shop/web-beta with 80% of the requests", "with 20% of the requests, ServiceAccount shop/web", "a ready pod with a sidecar behind shop/web-beta"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}

// TestAskAboutPermissiveNamespaces: the answer says whose permissive mode it is.
func TestAskAboutPermissiveNamespaces(t *testing.T) {
	yes, no := true, false
	for name, test := range map[string]struct {
		mesh bool
		shop *bool
		want []string
	}{
		"the mesh":      {true, nil, []string{"ALLOWED, because the mesh is in permissive mode", "by: permissive mode of the mesh"}},
		"the namespace": {false, &yes, []string{"ALLOWED, because the namespace shop is in permissive mode", "by: permissive mode of the namespace shop"}},
		"both":          {true, &yes, []string{"ALLOWED, because the namespace shop is in permissive mode"}},
		"strict":        {true, &no, []string{"DENIED", "missing: a TrafficTarget in namespace shop from front/till to shop/web"}},
	} {
		entries := shop(&catalog.Settings{Permissive: test.mesh}, &catalog.Namespace{Name: "shop", Monitored: true, Permissive: test.shop})
		for _, question := range []string{"front/sa/till shop/svc/web GET /a", "front/sa/till shop/svc/web", "front/sa/till shop/svc/db"} {
			text := said(t, question, nil, entries...)
			for _, want := range test.want {
				if question == "front/sa/till shop/svc/db" {
					want = strings.ReplaceAll(want, "shop/web", "shop/db")
				}
				if !strings.Contains(text, want) {
					t.Errorf("%s: the answer to %s does not have %q:\n%s", name, question, want, text)
				}
			}
		}
	}
}
