package status

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/gatewayapi"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// httpRoute is an HTTPRoute with parents, each the name of a Service of the namespace shop, and a backend.
func httpRoute(name string, backend map[string]any, parents ...string) *unstructured.Unstructured {
	var refs []any
	for _, parent := range parents {
		refs = append(refs, map[string]any{"group": "", "kind": "Service", "name": parent})
	}
	return object(kinds.HTTPRoute, name, 1, map[string]any{"parentRefs": refs, "rules": []any{map[string]any{"backendRefs": []any{backend}}}})
}

func backend(name string) map[string]any { return map[string]any{"name": name, "port": int64(80)} }

// routeFixture reconciles HTTPRoutes of the namespace shop, which belongs to the mesh with the Services web and new.
type routeFixture struct {
	*routeReconciler
	writes int
}

func newRouteFixture(t *testing.T, objects ...client.Object) *routeFixture {
	t.Helper()
	f := &routeFixture{}
	all := append(servicesNamed("web", "new"), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{names.MonitoredByLabel: "osm"}}})
	c := fake.NewClientBuilder().WithScheme(builtin(t)).WithObjects(append(all, objects...)...).WithStatusSubresource(kinds.Object(kinds.HTTPRoute)).
		WithInterceptorFuncs(interceptor.Funcs{
			SubResourcePatch: func(ctx context.Context, c client.Client, name string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
				f.writes++
				return c.SubResource(name).Patch(ctx, o, p, opts...)
			},
		}).Build()
	f.routeReconciler = &routeReconciler{client: c, mirror: meshOf(t, append(all, objects...)...), leader: &Leader{}, rejections: noRejections(), mesh: "osm", source: routeSources("osm")[0]}
	f.leader.leading.Store(true)
	return f
}

// entries reconciles a route, and returns its entries: "<controller> <parent>: <conditions>".
func (f *routeFixture) entries(t *testing.T, name string) []string {
	t.Helper()
	request := ctrl.Request{NamespacedName: client.ObjectKey{Namespace: "shop", Name: name}}
	if _, err := f.Reconcile(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	object := kinds.Object(kinds.HTTPRoute)
	if err := f.client.Get(t.Context(), request.NamespacedName, object); err != nil {
		t.Fatal(err)
	}
	route, err := gatewayapi.ReadStatus[gatewayv1.HTTPRoute](object)
	if err != nil {
		t.Fatal(err)
	}
	var entries []string
	for _, p := range route.Status.Parents {
		text := fmt.Sprintf("%s %s:", strings.TrimPrefix(string(p.ControllerName), "gateway.openservicemesh.io/"), p.ParentRef.Name)
		for _, c := range p.Conditions {
			text += fmt.Sprintf(" %s=%s", c.Type, c.Reason)
		}
		entries = append(entries, text)
	}
	return entries
}

func (f *routeFixture) edit(t *testing.T, name string, spec map[string]any) {
	t.Helper()
	object := kinds.Object(kinds.HTTPRoute)
	if err := f.client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, object); err != nil {
		t.Fatal(err)
	}
	object.Object["spec"] = spec
	if err := f.client.Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

func expectEntries(t *testing.T, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

// A route has an entry for each Service among its parents, until it is no parent any more. Entries of others remain: those of another controller, and
// those of the same mesh for Gateways.
func TestRouteStatusForServices(t *testing.T) {
	stored := httpRoute("r", backend("new"), "web", "none")
	entry := func(controller, kind, group string) any {
		return map[string]any{"controllerName": controller, "parentRef": map[string]any{"group": group, "kind": kind, "name": "other"}, "conditions": []any{}}
	}
	own := names.GatewayController("osm")
	stored.Object["status"] = map[string]any{"parents": []any{
		entry("example.com/mesh", "Service", ""), entry(own, "Gateway", gatewayv1.GroupName), entry(own, "Service", ""),
	}}
	f := newRouteFixture(t, stored)
	others := []string{"example.com/mesh other:", "osm other:"}
	want := append(others, "osm web: Accepted=Accepted ResolvedRefs=ResolvedRefs", "osm none: Accepted=NoMatchingParent ResolvedRefs=ResolvedRefs")
	expectEntries(t, want, f.entries(t, "r"))
	expectEntries(t, want, f.entries(t, "r"))
	if f.writes != 1 {
		t.Errorf("%d writes, want one", f.writes)
	}
	f.edit(t, "r", httpRoute("r", backend("gone"), "web").Object["spec"].(map[string]any))
	expectEntries(t, append(others, "osm web: Accepted=Accepted ResolvedRefs=BackendNotFound"), f.entries(t, "r"))
	f.edit(t, "r", map[string]any{"parentRefs": []any{map[string]any{"name": "public"}}})
	expectEntries(t, others, f.entries(t, "r"))
}

// A replica without the Lease writes nothing, and nobody writes about routes outside the mesh. An entry of a route that left the mesh is removed.
func TestRouteStatusOfNobody(t *testing.T) {
	f := newRouteFixture(t, httpRoute("r", backend("new"), "web"))
	f.leader.leading.Store(false)
	expectEntries(t, nil, f.entries(t, "r"))
	f.leader.leading.Store(true)
	expectEntries(t, []string{"osm web: Accepted=Accepted ResolvedRefs=ResolvedRefs"}, f.entries(t, "r"))
	changeMesh(t, f.mirror, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}})
	expectEntries(t, nil, f.entries(t, "r"))
}

// Sidecars may reject a route, or have too many routes of a namespace. A route that cannot be read is not accepted.
func TestRoutesThatAreNotAccepted(t *testing.T) {
	unread := httpRoute("unread", backend("new"), "web")
	unread.Object["spec"].(map[string]any)["rules"] = "none"
	f := newRouteFixture(t, httpRoute("r", backend("new"), "web"), unread)
	expectEntries(t, []string{"osm web: Accepted=UnsupportedValue"}, f.entries(t, "unread"))
	one := rejection("r", "shop/web", "shop/web-1")
	one.Kind = kinds.HTTPRoute.Kind
	f.rejections.update(report.Rejections{Rejections: []report.Rejection{one}}, nil, true)
	expectEntries(t, []string{"osm web: Accepted=RejectedByProxy ResolvedRefs=ResolvedRefs"}, f.entries(t, "r"))
	f.rejections.update(report.Rejections{Limited: []report.LimitedPolicy{{Kind: kinds.HTTPRoute.Kind, Namespace: "shop", Name: "r", ServiceAccounts: []string{"shop/client"}}}}, nil, true)
	expectEntries(t, []string{"osm web: Accepted=TooManyRoutes ResolvedRefs=ResolvedRefs"}, f.entries(t, "r"))
}

// A route of the Service's namespace replaces its TrafficSplits.
func TestSplitReplacedByRoute(t *testing.T) {
	split := object(kinds.TrafficSplit, "split", 1, map[string]any{"service": "web", "backends": []any{map[string]any{"service": "new", "weight": int64(1)}}})
	other := object(kinds.TrafficSplit, "other", 1, map[string]any{"service": "cart", "backends": []any{map[string]any{"service": "new", "weight": int64(1)}}})
	route := httpRoute("r", backend("new"), "web")
	services := servicesNamed("web", "new", "cart")
	for _, j := range []evaluateCase{
		{"replaced", split, append(services, route), map[string]string{"Accepted": "False Conflicted", "ResolvedRefs": "True ResolvedRefs"}, "HTTPRoute shop/r routes all requests to Service shop/web, so this split has no effect"},
		{"another root", other, append(services, route), map[string]string{"Accepted": "True Accepted", "ResolvedRefs": "True ResolvedRefs"}, "in force"},
	} {
		t.Run(j.name, j.check)
	}
	tcp := object(kinds.GatewayTCPRoute, "r", 1, route.Object["spec"].(map[string]any))
	t.Run("a TCPRoute", evaluateCase{
		"replaced", split, append(databases("web", "new"), tcp),
		map[string]string{"Accepted": "False Conflicted", "ResolvedRefs": "True ResolvedRefs"},
		"TCPRoute.gateway.networking.k8s.io shop/r routes all connections to Service shop/web, so this split has no effect",
	}.check)
}

// Gateways and Services have different controllers of the same kind of route, and both receive its rejections.
func TestRejectionsReachEachControllerOfAKind(t *testing.T) {
	one := rejection("r", "shop/web", "shop/web-1")
	one.Kind = kinds.HTTPRoute.Kind
	r := (&fakeReplicas{own: []report.Rejection{one}}).rejections()
	first, second := r.Watch(kinds.HTTPRoute), r.Watch(kinds.HTTPRoute)
	done := make(chan error, 1)
	go func() { done <- r.refresh(t.Context()) }()
	if a, b := (<-first).Object.GetName(), (<-second).Object.GetName(); a != "r" || b != "r" {
		t.Errorf("the controllers received %s and %s", a, b)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
