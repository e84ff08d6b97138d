package describe_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/cli/describe"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// shop has a Service web that till may call with GET /a, and a Service db that web may call.
func shop(more ...catalog.Entry) []catalog.Entry {
	web, db := Pod("shop", "web-0", "web", "web", "10.0.0.1"), Pod("shop", "db-0", "db", "db", "10.0.0.2")
	web.Revision, db.Injected = "osm-v1", false
	return append([]catalog.Entry{
		&catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Namespace{Name: "out"}, Pod("out", "guest", "guest", "guest", "10.0.0.4"),
		web, db, Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP), Slice(Name("shop", "web"), web),
		Service("shop", "db", "db", "10.96.0.2", 3306, inventory.ProtocolTCP), Slice(Name("shop", "db"), db),
		Group("shop", "paths", "/a", "/b"),
		Target("till", SA("shop", "web"), []catalog.TargetRule{HTTP("paths", "/a")}, SA("shop", "till")),
		Target("missing", SA("shop", "web"), []catalog.TargetRule{HTTP("nothing")}, SA("shop", "till")),
		&catalog.TCPRoute{Name: Name("shop", "sql"), Ports: []uint16{3306}},
		Target("db", SA("shop", "db"), []catalog.TargetRule{TCP("sql")}, SA("shop", "web")),
	}, more...)
}

// onDemand is a pod whose sidecar loads its destinations at first use.
func onDemand() *inventory.Instance {
	pod := Pod("shop", "lazy-0", "lazy", "lazy", "10.0.0.8")
	pod.Revision, pod.OnDemand = "osm-v1", true
	return pod
}

func text(t *testing.T, name entity.Name, entries ...catalog.Entry) string {
	t.Helper()
	problems := func(ref entity.Ref) []diagnosis.Finding {
		if ref.Name.Name == "missing" {
			return []diagnosis.Finding{diagnosis.Fail("", "HTTPRouteGroup shop/nothing does not exist.")}
		}
		return nil
	}
	d, err := describe.Pod(Apply(entries...), name, problems)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := d.Print(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestDescribePod shows all policies of a workload.
func TestDescribePod(t *testing.T) {
	got := strings.Split(text(t, Name("shop", "web-0"), shop()...), "\n")
	for i := range got {
		got[i] = strings.Join(strings.Fields(got[i]), " ")
	}
	want := []string{
		"Pod shop/web-0", "Account shop/web", "Sidecar revision osm-v1",
		"", "Clients", "SERVICE PORT CLIENT REQUESTS BY TRAFFICTARGET", "shop/web 80/http shop/till any method /a shop/till",
		"", "May call", "SERVICE PORT BACKENDS", "shop/db 3306/tcp shop/db|3306",
		"", "Policies", "KIND NAME PROBLEMS", "HTTPRouteGroup shop/paths none", "TCPRoute shop/sql none", "TrafficTarget shop/db none",
		"TrafficTarget shop/missing HTTPRouteGroup shop/nothing does not exist.", "TrafficTarget shop/till none", "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPod_OtherStates(t *testing.T) {
	for name, tt := range map[string]struct {
		pod  entity.Name
		more []catalog.Entry
		want []string
	}{
		"on demand":           {Name("shop", "lazy-0"), []catalog.Entry{onDemand(), Target("lazy", SA("shop", "db"), []catalog.TargetRule{TCP("sql")}, SA("shop", "lazy"))}, []string{"Sidecar   revision osm-v1, which loads destinations at the first call", "shop/db"}},
		"without a sidecar":   {Name("shop", "db-0"), nil, []string{"Sidecar   none: no policy applies", "no policy allows the pod to call another workload"}},
		"permissive":          {Name("shop", "web-0"), []catalog.Entry{&catalog.Settings{Permissive: true}}, []string{"every workload of the mesh", "permissive mode"}},
		"without any Service": {Name("shop", "job"), []catalog.Entry{Pod("shop", "job", "job", "job", "10.0.0.9")}, []string{"no Service selects the pod"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := text(t, tt.pod, shop(tt.more...)...)
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in:\n%s", want, got)
				}
			}
		})
	}
}

// The gateways of the mesh are described like sidecars, although their namespace is not part of the mesh.
func TestDescribeGateway(t *testing.T) {
	gateway := Pod("osm-system", "gateway-0", names.IngressGateway, names.IngressGateway, "10.0.0.7")
	gateway.Labels = map[string]string{names.AppLabel: names.IngressGateway}
	other := Pod("osm-system", "controller-0", "osm-controller", "osm-controller", "10.0.0.8")
	entries := shop(
		&catalog.Settings{Namespace: "osm-system"}, &catalog.GatewayClass{Name: "osm"}, gateway, other,
		&inventory.Service{Name: Name("osm-system", names.IngressGateway), Ports: []inventory.Port{{Number: 80, TargetPort: 10080}}},
		&catalog.Gateway{Name: Name("shop", "public"), Class: "osm", Listeners: []catalog.GatewayListener{{Name: "plain", Port: 80, Protocol: "HTTP", From: "Same", Hostname: "web.example.com"}}},
		&catalog.HTTPRoute{Kind: entity.KindHTTPRoute, Name: Name("shop", "r"), Parents: []catalog.RouteParent{{Gateway: Name("shop", "public")}}, Rules: []catalog.HTTPRouteRule{{
			Matches: []catalog.RouteMatch{{PathType: "PathPrefix", Path: "/a"}}, Backends: []catalog.RouteBackend{{Service: Name("shop", "web"), Port: 80, Weight: 1}},
		}}},
		Target("in", SA("shop", "web"), []catalog.TargetRule{HTTP("paths")}, SA("osm-system", names.IngressGateway)),
	)
	if got := text(t, Name("osm-system", "gateway-0"), entries...); !strings.Contains(got, "http://web.example.com:80") || !strings.Contains(got, "shop/web|80") {
		t.Errorf("the routes of the gateway are missing:\n%s", got)
	}
	if _, err := describe.Pod(Apply(entries...), Name("osm-system", "controller-0"), nil); err == nil || strings.Contains(err.Error(), "namespace add") {
		t.Errorf("%v, want an error whose remedy can be applied", err)
	}
}

// TestDescribePeers checks that a pod names its clients in other meshes, and the peer gateway what it forwards.
func TestDescribePeers(t *testing.T) {
	gateway := Pod("osm-system", "gateway-0", names.PeerGateway, names.PeerGateway, "10.0.0.7")
	gateway.Labels = map[string]string{names.AppLabel: names.PeerGateway}
	target := Target("peers", SA("shop", "web"), []catalog.TargetRule{HTTP("paths", "/a")})
	target.PeerSources = []identity.PeerAccount{{Peer: "west", Namespace: "office", Name: "reports"}}
	entries := shop(
		&catalog.Settings{Namespace: "osm-system"}, gateway, target, Peer("west", "west.example"), &catalog.ServiceExport{Name: Name("shop", "web"), Peer: "west"},
	)
	if got := text(t, Name("shop", "web-0"), entries...); !strings.Contains(got, "west/office/reports") || !strings.Contains(got, "shop/peers") {
		t.Errorf("the client of the peer is missing:\n%s", got)
	}
	got := text(t, Name("osm-system", "gateway-0"), entries...)
	for _, want := range []string{"the peer west", "west.example.com:15443", "shop/web for the peer west"} {
		if !strings.Contains(got, want) {
			t.Errorf("the description of the gateway has no %q:\n%s", want, got)
		}
	}
}

func TestPod_NotInMesh(t *testing.T) {
	for pod, want := range map[entity.Name]string{
		Name("out", "guest"): "namespace out is not in the mesh", Name("shop", "nobody"): "no pod nobody found in namespace shop",
	} {
		if _, err := describe.Pod(Apply(shop()...), pod, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
