package debug

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/anypb"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

var moment = time.Unix(1_800_000_000, 0).UTC()

// store is a Store with one sidecar.
type store struct{ listener *anypb.Any }

func (store) Proxies() []status.Proxy {
	return []status.Proxy{{
		Pod: meshtest.Name("a", "client"), InstanceID: "uid", Scope: scope.Key{Identity: meshtest.SA("a", "buyer")}, ConnectedSince: moment,
		Types: map[resourcetype.Type]status.TypeStatus{resourcetype.Routes: {Sent: 1}},
	}}
}

func (store) Traces() []status.Trace { return []status.Trace{{Number: 7}} }

func (s store) Resources(id entity.InstanceID) ([]snapshot.ConfiguredResource, error) {
	if id != "uid" {
		return nil, snapshot.ErrNotConnected
	}
	return []snapshot.ConfiguredResource{
		{Type: resourcetype.Secrets, Name: "service-cert:a/buyer", Version: "1"},
		{Type: resourcetype.Listeners, Name: "outbound-listener", Version: "2", Resource: s.listener},
	}, nil
}

func (store) Entries(_ context.Context, kinds ...entity.Kind) ([]catalog.Entry, error) {
	pod := meshtest.Pod("a", "client", "client", "buyer", "10.0.0.1")
	pod.ID, pod.Labels[names.ProxyUUIDLabel] = "uid", "uuid"
	c := catalog.New()
	c.Apply([]catalog.Change{
		catalog.Set(pod), catalog.Set(&catalog.Namespace{Name: "a", Monitored: true}), catalog.Set(&catalog.Namespace{Name: "b"}),
		catalog.Set(meshtest.Group("a", "routes", "/x")),
	})
	return c.Entries(kinds...), nil
}

// sources are those of a control plane with one workload's certificate.
func sources(t *testing.T) (Sources, certificate.Certificate) {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, moment)
	if err != nil {
		t.Fatal(err)
	}
	manager := certificate.NewManager(certificate.Options{
		Root: root, TrustDomain: "mesh.test", Lifetime: time.Hour, Now: func() time.Time { return moment }, Jitter: func() float64 { return 0 },
	})
	leaf, err := manager.Certificate(meshtest.SA("a", "buyer"))
	if err != nil {
		t.Fatal(err)
	}
	packed, err := anypb.New(&listener.Listener{Name: "outbound-listener"})
	if err != nil {
		t.Fatal(err)
	}
	mc := &configv1alpha2.MeshConfig{}
	mc.Spec.Observability.EnableDebugServer, mc.Spec.FeatureFlags.EnableRetryPolicy = true, true
	return Sources{Store: store{packed}, Certificates: manager.List, MeshConfig: func() *configv1alpha2.MeshConfig { return mc }}, leaf
}

func get(handler http.Handler, host, path string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.Host = host
	handler.ServeHTTP(recorder, request)
	return recorder
}

func TestPages(t *testing.T) {
	s, leaf := sources(t)
	handler := Handler(s)
	tests := []struct {
		path string
		code int
		says []string
	}{
		{"/debug", 200, []string{`href="/debug/certs"`, `href="/debug/changes"`, "/debug/pprof/"}},
		{"/debug/", 200, []string{`href="/debug/certs"`}},
		{"/debug/certs", 200, []string{`"workload": "a/buyer"`, "spiffe://mesh.test/", `"notAfter": "2027-01-15T09:00:00Z"`}},
		{"/debug/xds", 200, []string{`"connected": 1`, `"RDS"`}},
		{"/debug/proxy", 200, []string{`"uuid": "uuid"`, `"uid": "uid"`}},
		{"/debug/proxy?uuid=uuid", 200, []string{`"pod": "client"`, `"state"`}},
		{"/debug/proxy?uuid=uid&cfg=true", 200, []string{`"name": "outbound-listener"`, "envoy.config.listener.v3.Listener", `"name": "service-cert:a/buyer"`}},
		{"/debug/proxy?uuid=nobody", 404, []string{"no sidecar with this uuid"}},
		{"/debug/policies", 200, []string{`"HTTPRouteGroup"`, `"/x"`, `"TrafficTarget": []`}},
		{"/debug/config", 200, []string{`"enableDebugServer": true`}},
		{"/debug/feature-flags", 200, []string{`"enableRetryPolicy": true`, `"enableWASMStats": false`}},
		{"/debug/changes", 200, []string{`"number": 7`}},
		{"/debug/pprof/", 200, []string{"goroutine"}},
		{"/debug/pprof/cmdline", 200, nil},
		{"/debug/what", 404, nil},
		{"/", 404, nil},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			got := get(handler, "localhost:9092", test.path)
			body := got.Body.String()
			if got.Code != test.code {
				t.Fatalf("answers %d %s", got.Code, body)
			}
			for _, text := range test.says {
				if !strings.Contains(body, text) {
					t.Errorf("%q is missing in %s", text, body)
				}
			}
			if strings.Contains(body, "PRIVATE") || strings.Contains(body, strings.Split(string(leaf.KeyPEM), "\n")[1]) {
				t.Error("the page shows a private key")
			}
		})
	}
}

func TestNamespacesOfTheMesh(t *testing.T) {
	s, _ := sources(t)
	var got map[string][]string
	if err := json.Unmarshal(get(Handler(s), "127.0.0.1:9092", "/debug/namespaces").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{"namespaces": {"a"}}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWithoutMeshConfig(t *testing.T) {
	s, _ := sources(t)
	s.MeshConfig = func() *configv1alpha2.MeshConfig { return nil }
	handler := Handler(s)
	if got := get(handler, "localhost", "/debug/config"); got.Code != 404 {
		t.Errorf("answers %d", got.Code)
	}
	if got := get(handler, "localhost", "/debug/feature-flags"); got.Code != 200 || strings.Contains(got.Body.String(), "true") {
		t.Errorf("answers %d %s", got.Code, got.Body)
	}
}

// TestOnlyLocalhost asks as a web page would whose name leads to the reader's own machine.
func TestOnlyLocalhost(t *testing.T) {
	s, _ := sources(t)
	handler := Handler(s)
	for host, code := range map[string]int{
		"localhost": 200, "localhost:9092": 200, "127.0.0.1:9092": 200, "[::1]:9092": 200,
		"evil.example": 421, "evil.example:9092": 421, "10.0.0.1:9092": 421, "": 421,
	} {
		if got := get(handler, host, "/debug/certs"); got.Code != code {
			t.Errorf("host %q: %d, want %d", host, got.Code, code)
		}
	}
}
