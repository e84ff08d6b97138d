package page_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/page"
	"github.com/openservicemesh/osm-operator/internal/cli/tap"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

var now = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

// target is a TrafficTarget from shop/buyer to shop/web. Conditions are those of its status.
func target(namespace string, conditions ...any) *unstructured.Unstructured {
	object := kinds.Object(kinds.TrafficTarget)
	object.SetNamespace(namespace)
	object.SetName("web")
	object.Object["spec"] = map[string]any{
		"destination": map[string]any{"kind": "ServiceAccount", "name": "web"},
		"sources":     []any{map[string]any{"kind": "ServiceAccount", "name": "buyer", "namespace": "shop"}},
	}
	object.Object["status"] = map[string]any{"conditions": conditions}
	return object
}

func condition(kind, status, reason string) map[string]any {
	return map[string]any{"type": kind, "status": status, "reason": reason, "message": "explained", "lastTransitionTime": "2026-01-02T15:04:05Z"}
}

// shop returns a reader of a mesh with the namespace shop. Requests of its client can be rejected.
func shop(t *testing.T, reject func(client.ObjectList) error, objects ...client.Object) page.Reader {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, discoveryv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}, Status: v1alpha1.MeshStatus{
		Conditions: []metav1.Condition{{Type: "Ready", Status: "True", Reason: "Ready", Message: "all is well"}},
		Upgrade:    &v1alpha1.UpgradeStatus{Phase: "Workloads", From: "v1", To: "v2"},
		Proxies:    &v1alpha1.ProxyCounts{Total: 3, Outdated: 1},
		Certificates: &v1alpha1.CertificatesStatus{
			Issuer: v1alpha1.CertificateSummary{Fingerprint: "aa", Subject: "CN=issuer", NotAfter: metav1.NewTime(now.Add(time.Hour))},
			Roots:  []v1alpha1.CertificateSummary{{Fingerprint: "bb", Subject: "CN=root", NotAfter: metav1.NewTime(now.Add(2 * time.Hour))}},
		},
	}}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		Endpoints:  []discoveryv1.Endpoint{{TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "web-0"}}, {}},
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(append(objects, mesh, slice)...).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if reject != nil {
				if err := reject(list); err != nil {
					return err
				}
			}
			return c.List(ctx, list, options...)
		},
	}).Build()
	end := now.Add(20 * time.Hour)
	return page.Reader{
		Client: c, Now: func() time.Time { return now }, Metrics: prometheus.New(nil), Disconnect: func() {},
		Mesh: func(context.Context) (page.Mesh, error) {
			return page.Mesh{Name: "osm", Members: []string{"shop"}}, nil
		},
		Settings: func(context.Context) (page.Settings, error) { return page.Settings{Logged: tap.AllRequests}, nil },
		Sidecars: func(context.Context) ([]page.Sidecar, []string, error) {
			proxy := report.Proxy{Namespace: "shop", Pod: "web-0", ServiceAccount: "web", CertificateEnd: &end, CertificateIssuer: "aa"}
			return []page.Sidecar{page.SidecarOf(proxy, "up to date", "", "one")}, nil, nil
		},
		Loads: func(context.Context) ([]report.Load, bool, error) {
			return []report.Load{{Client: "shop/buyer", Cluster: "shop/web|80", Rate: 2, LoadCounts: report.LoadCounts{Issued: 4, Succeeded: 4}}}, true, nil
		},
		Changes: func(context.Context) ([]report.Changes, error) {
			older := report.Change{At: now.Add(-time.Minute), Objects: []report.ChangedObject{{Kind: "Namespace", Name: "shop", Removed: true}}}
			newer := report.Change{At: now, Objects: []report.ChangedObject{{Kind: "Endpoints", Namespace: "shop", Name: "web"}}}
			return []report.Changes{{Changes: []report.Change{older}}, {Changes: []report.Change{newer}}}, nil
		},
		Prometheus: func(context.Context) (prometheus.Target, bool) { return prometheus.Target{}, false },
		Denials:    func(context.Context) ([]report.Denial, error) { return nil, nil },
		Samples:    &page.Sampler{Logs: logs(nil), Now: func() time.Time { return now }},
	}
}

func read(t *testing.T, r page.Reader) *page.State {
	t.Helper()
	s, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStateHasAllParts(t *testing.T) {
	s := read(t, shop(t, nil, target("shop", condition("Accepted", "True", "Accepted")), target("elsewhere")))
	if len(s.Problems) > 0 {
		t.Errorf("problems: %q", s.Problems)
	}
	if len(s.Edges) != 2 || s.Edges[0].From != "service:shop/web" || s.Edges[0].To != "workload:shop/web" || !s.Edges[0].Backs {
		t.Errorf("edges %+v: want the traffic and the workload behind the Service", s.Edges)
	}
	if len(s.Policies) != 1 || s.Policies[0].State != "in force" || s.Policies[0].Namespace != "shop" {
		t.Errorf("policies %+v: want the one of the mesh", s.Policies)
	}
	if r := s.Rollout; r == nil || r.From != "v1" || r.To != "v2" || r.Total != 3 || r.Outdated != 1 {
		t.Errorf("rollout %+v", r)
	}
	if len(s.Changes) != 2 || s.Changes[0].Objects[0] != "Endpoints shop/web" || s.Changes[1].Objects[0] != "Namespace shop (removed)" {
		t.Errorf("changes %+v: want the latest first", s.Changes)
	}
	var kinds []string
	for _, c := range s.Certificates {
		kinds = append(kinds, c.Kind)
	}
	if strings.Join(kinds, " ") != "issuer root workload" || s.Certificates[0].Holders != 1 || !s.Certificates[0].Active {
		t.Errorf("certificates %+v", s.Certificates)
	}
	if len(s.Mesh.Conditions) != 1 || s.Mesh.Conditions[0].Message != "all is well" {
		t.Errorf("conditions %+v", s.Mesh.Conditions)
	}
}

func TestStatesOfPolicies(t *testing.T) {
	for name, test := range map[string]struct {
		conditions []any
		want       string
	}{
		"accepted":     {[]any{condition("Accepted", "True", "Accepted"), condition("Ready", "True", "Ready")}, "in force"},
		"refused":      {[]any{condition("Accepted", "False", "Invalid"), condition("Ready", "False", "Invalid")}, "not in force: Invalid: explained"},
		"not reported": {nil, "unknown: the control plane has not reported about it yet"},
	} {
		p := read(t, shop(t, nil, target("shop", test.conditions...))).Policies[0]
		if got := strings.TrimSuffix(p.State+": "+p.Message, ": "); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestGatewayAPICountsAsPolicies has a route whose Gateway does not exist.
func TestGatewayAPICountsAsPolicies(t *testing.T) {
	route := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": map[string]any{"name": "r", "namespace": "shop"},
		"spec": map[string]any{"parentRefs": []any{map[string]any{"name": "web"}}},
	}}
	all := read(t, shop(t, nil, route)).Policies
	if len(all) != 1 || all[0].Kind != "HTTPRoute" || all[0].State != "not in force" || !strings.Contains(all[0].Message, "Gateway web not found in namespace shop") {
		t.Errorf("the policies are %+v", all)
	}
}

// TestEachPartFailsAlone lets one part after the other fail. The others remain, and a problem names the failed one.
func TestEachPartFailsAlone(t *testing.T) {
	away := errors.New("away")
	forbid := func(kind string) func(client.ObjectList) error {
		return func(list client.ObjectList) error {
			_, isSlices := list.(*discoveryv1.EndpointSliceList)
			if kind == "EndpointSlice" && isSlices || list.GetObjectKind().GroupVersionKind().Kind == kind {
				return away
			}
			return nil
		}
	}
	for part, edit := range map[string]func(*page.Reader){
		"The sidecars": func(r *page.Reader) {
			r.Sidecars = func(context.Context) ([]page.Sidecar, []string, error) { return nil, nil, away }
		},
		"The load reports": func(r *page.Reader) {
			r.Loads = func(context.Context) ([]report.Load, bool, error) { return nil, false, away }
		},
		"The denials": func(r *page.Reader) {
			r.Denials = func(context.Context) ([]report.Denial, error) { return nil, away }
		},
		"The MeshConfig": func(r *page.Reader) {
			r.Settings = func(context.Context) (page.Settings, error) { return page.Settings{}, away }
		},
		"The latest changes": func(r *page.Reader) { r.Changes = func(context.Context) ([]report.Changes, error) { return nil, away } },
		"The endpoints":      func(r *page.Reader) { r.Client = shop(t, forbid("EndpointSlice"), target("shop")).Client },
		"kind TrafficTarget": func(r *page.Reader) { r.Client = shop(t, forbid("TrafficTarget")).Client },
		"Prometheus cannot be": func(r *page.Reader) {
			r.Prometheus = func(context.Context) (prometheus.Target, bool) {
				return prometheus.Target{Address: "http://127.0.0.1:1"}, true
			}
		},
	} {
		r := shop(t, nil, target("shop"))
		edit(&r)
		s := read(t, r)
		if len(s.Problems) != 1 || !strings.Contains(s.Problems[0], part) {
			t.Errorf("%s: problems %q", part, s.Problems)
		}
		if s.Rollout == nil || len(s.Mesh.Conditions) != 1 {
			t.Errorf("%s: the other parts are missing: %+v", part, s)
		}
	}
}

// TestPrometheusAddsLatenciesAndVerdicts answers the two queries of the page.
func TestPrometheusAddsLatenciesAndVerdicts(t *testing.T) {
	answers := map[string]string{
		"histogram_quantile": `{"metric": {"source_namespace": "shop", "destination_namespace": "shop", "destination_service": "web"}, "value": [1, "4.5"]}`,
		"verdict": `{"metric": {"namespace": "shop", "pod": "web-0", "source_identity": "buyer.shop.cluster.local", "verdict": "allowed"}, "value": [1, "2"]},` +
			`{"metric": {"namespace": "shop", "pod": "web-0", "source_identity": "buyer.shop.cluster.local", "verdict": "denied"}, "value": [1, "1"]},` +
			`{"metric": {"namespace": "shop", "pod": "web-0", "source_identity": "thief.shop.cluster.local", "verdict": "denied"}, "value": [1, "7"]}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for word, result := range answers {
			if strings.Contains(r.FormValue("query"), word) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"status": "success", "data": {"resultType": "vector", "result": [` + result + `]}}`))
			}
		}
	}))
	t.Cleanup(server.Close)
	r := shop(t, nil, target("shop", condition("Accepted", "True", "Accepted")))
	r.Prometheus = func(context.Context) (prometheus.Target, bool) { return prometheus.Target{Address: server.URL}, true }
	s := read(t, r)
	if e := s.Edges[1]; len(s.Problems) > 0 || e.P99 == nil || *e.P99 != 4.5 || s.Edges[0].P99 != nil {
		t.Errorf("edges %+v, problems %q", s.Edges, s.Problems)
	}
	if p := s.Policies[0]; p.Allowed == nil || *p.Allowed != 2 || *p.Denied != 1 {
		t.Errorf("policy %+v: want 2 allowed and 1 denied, without the requests of others", p)
	}
}
