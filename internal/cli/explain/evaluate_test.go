package explain_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// mesh makes a mesh to ask; every name of an entry is taken.
func mesh(c *catalog.Catalog, entries ...catalog.Entry) explain.Mesh {
	taken := map[entity.Ref]bool{}
	for _, e := range entries {
		taken[e.Ref()] = true
	}
	return explain.Mesh{
		Name: "osm", Catalog: c, Exists: func(r entity.Ref) bool { return taken[r] },
		Account: func(context.Context, string, string, string) (string, bool, error) { return "", false, nil },
	}
}

// shop has a Service web with one pod, and a till outside its namespace.
func shop(more ...catalog.Entry) []catalog.Entry {
	web := Pod("shop", "web-0", "web", "web", "10.0.0.1")
	db := Pod("shop", "db-0", "db", "db", "10.0.0.2")
	return append([]catalog.Entry{
		&catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Namespace{Name: "front", Monitored: true}, &catalog.Namespace{Name: "out"},
		web, db, Pod("front", "till-0", "till", "till", "10.0.0.3"), Pod("out", "guest", "guest", "guest", "10.0.0.4"),
		Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP), Slice(Name("shop", "web"), web),
		Service("shop", "db", "db", "10.96.0.2", 3306, inventory.ProtocolTCP), Slice(Name("shop", "db"), db),
		&catalog.ServiceAccount{Name: Name("front", "till"), UID: "1"}, &catalog.ServiceAccount{Name: Name("shop", "web"), UID: "2"},
	}, more...)
}

func evaluate(t *testing.T, question string, entries ...catalog.Entry) *explain.Answer {
	t.Helper()
	return askMesh(t, mesh(Apply(entries...), entries...), question)
}

func askMesh(t *testing.T, m explain.Mesh, question string) *explain.Answer {
	t.Helper()
	q, err := explain.ParseQuestion(strings.Fields(question), nil, "default")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := explain.Evaluate(t.Context(), m, q)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// A name or a port that does not exist leads to the one that is meant.
func TestMisspeltPartiesHaveSuggestions(t *testing.T) {
	entries := shop(&inventory.Service{Name: Name("shop", "shifted"), Ports: []inventory.Port{{Number: 80, TargetPort: 8080, Protocol: inventory.ProtocolHTTP}}, ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.77")}})
	for question, want := range map[string]string{
		"front/tlil to shop/web":           "no pod, workload, service account or Service named tlil found in namespace front: did you mean till?",
		"front/sa/till to shop/weeb":       "did you mean web?",
		"front/sa/till to shop/unknown":    "use NAMESPACE/NAME or NAMESPACE/KIND/NAME",
		"front/sa/till to shop/shifted:81": "the Service shop/shifted has no port 81 in the mesh: use 80 (target port 8080)",
	} {
		q, err := explain.ParseQuestion(strings.Fields(question), nil, "default")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := explain.Evaluate(t.Context(), mesh(Apply(entries...), entries...), q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", question, err, want)
		}
	}
}

func TestAsk(t *testing.T) {
	web, till := SA("shop", "web"), SA("front", "till")
	paths := Group("shop", "paths", "/a", "/b")
	tests := map[string]struct {
		question string
		more     []catalog.Entry
		// want are parts of the answer as people read it.
		want []string
	}{
		"nobody has said anything": {"front/sa/till shop/svc/web GET /a", nil, []string{"DENIED", "refused: the connection is reset, like all connections of this client", "This would allow it:", "pathRegex: /a\n", "name: till-to-web\n"}},
		"allowed": {
			"front/till-0 shop/web-0 GET /a",
			[]catalog.Entry{paths, Target("t", web, []catalog.TargetRule{HTTP("paths")}, till)},
			[]string{"ALLOWED by TrafficTarget shop/t", "pod front/till-0"},
		},
		"granted to others: their match is used again": {
			"front/sa/till shop/svc/web GET /a",
			[]catalog.Entry{paths, Target("t", web, []catalog.TargetRule{HTTP("paths", "/a")}, SA("front", "other"))},
			[]string{"DENIED", "rules:\n  - kind: HTTPRouteGroup\n    matches:\n    - /a\n    name: paths"},
		},
		"some paths are granted, and this one is not": {
			"front/sa/till shop/svc/web GET /c",
			[]catalog.Entry{paths, Target("t", web, []catalog.TargetRule{HTTP("paths")}, till)},
			[]string{"DENIED", "not found: status 404", "may send: any method /a  (TrafficTarget shop/t)", "pathRegex: /c\n"},
		},
		"any request": {
			"front/sa/till shop/svc/web",
			[]catalog.Entry{paths, Target("t", web, []catalog.TargetRule{HTTP("paths")}, till)},
			[]string{"ALLOWED by TrafficTarget shop/t", "may send: any method /b"},
		},
		"TCP": {"front/sa/till shop/svc/db", nil, []string{"DENIED", "kind: TCPRoute", "- 3306"}},
		"names that are taken": {
			"front/sa/till shop/svc/web GET /a",
			[]catalog.Entry{Group("shop", "till-to-web", "/z"), Target("till-to-web", web, nil, SA("x", "y"))},
			[]string{"name: till-to-web-2\n"},
		},
		"a client outside the mesh": {
			"out/guest shop/svc/web GET /a",
			[]catalog.Entry{paths, Target("t", web, []catalog.TargetRule{HTTP("paths")}, SA("out", "guest"))},
			[]string{"DENIED", "namespace out of pod out/guest is not part of mesh osm", "osm namespace add out"},
		},
		"a namespace of Kubernetes": {
			"front/sa/till kube-system/svc/dns",
			[]catalog.Entry{Service("kube-system", "dns", "dns", "10.96.0.10", 53, inventory.ProtocolTCP)},
			[]string{"namespace kube-system of Service kube-system/dns belongs to Kubernetes, so its pods never get a sidecar"},
		},
		"permissive":              {"front/sa/till shop/svc/web GET /a", []catalog.Entry{&catalog.Settings{Permissive: true}}, []string{"ALLOWED, because the mesh is in permissive mode"}},
		"by the container's port": {"front/sa/till shop/sa/web:80 GET /a", nil, []string{"Service shop/web port 80 (http)"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			if err := evaluate(t, test.question, shop(test.more...)...).Print(&text); err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(text.String(), want) {
					t.Errorf("the answer does not have %q:\n%s", want, text.String())
				}
			}
		})
	}
}

func TestAskAboutWhatIsNotThere(t *testing.T) {
	for _, question := range []string{"front/sa/till example.com", "front/sa/till www.example.com:443", "front/sa/till 192.0.2.1", "front/nobody shop/web", "front/sa/till shop/pod/none", "front/sa/till shop/svc/web:81"} {
		q, err := explain.ParseQuestion(strings.Fields(question), nil, "default")
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := explain.Evaluate(t.Context(), mesh(Apply(shop()...), shop()...), q); err == nil {
			t.Errorf("%s has the answer %v", question, answer)
		}
	}
}

// An address leads to its Service or pod. A host outside the mesh needs a URL.
func TestAskAboutAddresses(t *testing.T) {
	entries := shop()
	m := mesh(Apply(entries...), entries...)
	m.PodAt = func(a netip.Addr) entity.Name {
		if a == netip.MustParseAddr("10.0.0.1") {
			return Name("shop", "web-0")
		}
		return entity.Name{}
	}
	for to, want := range map[string]string{
		"10.0.0.1": "pod shop/web-0", "10.0.0.1:80": "pod shop/web-0", "10.96.0.1": "Service shop/web", "10.96.0.1:80": "Service shop/web",
		"192.0.2.1": "", "2001:db8::1": "", "[2001:db8::1]:443": "", "example.com": "", "www.example.com:443": "",
	} {
		q, err := explain.ParseQuestion([]string{"front/sa/till", "to", to}, nil, "default")
		if err != nil {
			t.Fatal(err)
		}
		answer, err := explain.Evaluate(t.Context(), m, q)
		switch {
		case want == "" && (err == nil || !strings.Contains(err.Error(), "outside the mesh, write a URL: http://, https:// or tcp://")):
			t.Errorf("%s: error %v", to, err)
		case want != "" && (err != nil || answer.To != want):
			t.Errorf("%s: %v, error %v, want %s", to, answer, err, want)
		}
	}
}

// Whatever the mesh: the answer is authz's; asking changes nothing; and what is offered as a remedy is one.
func TestAnswersOfRandomMeshes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := catalog.New()
		taken := map[entity.Ref]catalog.Entry{}
		for _, change := range rapid.SliceOfN(Change(), 20, 120).Draw(t, "changes") {
			c.Apply([]catalog.Change{change})
			taken[change.Ref] = change.Entry
		}
		m := mesh(c)
		m.Exists = func(r entity.Ref) bool { return taken[r] != nil || r.Kind == entity.KindServiceAccount }
		words := []string{"one", "two", "three"}
		q := explain.Question{
			From: explain.Reference{Kind: explain.KindServiceAccount, Namespace: "a", Name: rapid.SampledFrom(words).Draw(t, "from")},
			To:   explain.Reference{Kind: explain.KindService, Namespace: "b", Name: rapid.SampledFrom(words).Draw(t, "to")},
		}
		if rapid.Bool().Draw(t, "request") {
			q.Method, q.Path = "GET", rapid.SampledFrom([]string{"/x", "/z", "//x/../y?q"}).Draw(t, "path")
		}
		answer, err := explain.Evaluate(t.Context(), m, q)
		if err != nil {
			return // there is no such Service
		}
		again, err := explain.Evaluate(t.Context(), m, q)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(answer, again); diff != "" {
			t.Fatalf("asking changed the mesh (-first +second):\n%s", diff)
		}
		v := c.View()
		if service := v.Service(Name("b", q.To.Name)); service != nil && !service.Headless() && q.Path != "" && v.InMesh("a") {
			verdict := authz.Decide(v, authz.Request{Source: SA("a", q.From.Name), Service: service.Name, Port: 80, Method: q.Method, Path: q.Path, Headers: []authz.Header{{Name: ":authority", Value: q.To.Name + ".b"}}})
			if verdict.Always(authz.Allowed) != answer.Allowed {
				t.Fatalf("explain says allowed is %t, and the verdict is %v", answer.Allowed, verdict)
			}
		}
		if answer.RemedySuffices && len(answer.Missing) == 0 {
			put(t, c, answer.Remedy)
			if after, err := explain.Evaluate(t.Context(), m, q); err != nil || !after.Allowed {
				t.Fatalf("the remedy %v does not help: %v %v", answer.Remedy, after, err)
			}
		}
	})
}

// put brings objects into a catalog.
func put(t *rapid.T, c *catalog.Catalog, objects []*unstructured.Unstructured) {
	for _, u := range objects {
		var entry catalog.Entry
		var problems []ingest.Problem
		switch u.GetKind() {
		case "HTTPRouteGroup":
			entry, problems = ingest.HTTPRouteGroup(u)
		case "TCPRoute":
			entry, problems = ingest.TCPRoute(u)
		case "TrafficTarget":
			entry, problems = ingest.TrafficTarget(u)
		}
		if len(problems) > 0 {
			t.Fatalf("the remedy has problems: %v", problems)
		}
		c.Apply([]catalog.Change{catalog.Set(entry)})
	}
}

// During a teardown, the verdict of policies is unchanged, but sidecars do not enforce it.
func TestAskDuringTeardown(t *testing.T) {
	for leaving, want := range map[catalog.Teardown]string{
		0:                           "",
		catalog.TeardownOpen:        "accept all requests, including requests that are denied here",
		catalog.TeardownPassthrough: "accept and forward all traffic",
	} {
		answer := evaluate(t, "front/till-0 shop/svc/web GET /a", shop(&catalog.Settings{Teardown: leaving})...)
		var text strings.Builder
		if err := answer.Print(&text); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(answer.Teardown, want) || (answer.Teardown == "") != (want == "") || !strings.Contains(text.String(), answer.Teardown) {
			t.Errorf("teardown %d: answer %q", leaving, text.String())
		}
	}
}
