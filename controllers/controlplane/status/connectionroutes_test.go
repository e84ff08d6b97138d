package status

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/gatewayapi"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// databases are Services without HTTP.
func databases(names ...string) []client.Object {
	all := servicesNamed(names...)
	for _, object := range all {
		if service, ok := object.(*corev1.Service); ok {
			for i := range service.Spec.Ports {
				service.Spec.Ports[i].AppProtocol = ptr.To("tcp")
			}
		}
	}
	return all
}

// tcpRoute is a TCPRoute of the Gateway API for the Service web.
func tcpRoute(name string, created time.Duration) *unstructured.Unstructured {
	route := object(kinds.GatewayTCPRoute, name, 1, httpRoute(name, backend("new"), "web").Object["spec"].(map[string]any))
	route.SetCreationTimestamp(metav1.NewTime(time.Unix(0, 0).Add(created)))
	return route
}

// One TCPRoute applies to a port. SMI's TCPRoute of the same name has no part in it.
func TestStatusOfTCPRoutes(t *testing.T) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{names.MonitoredByLabel: "osm"}}}
	all := append(databases("web", "new"), namespace, tcpRoute("first", time.Second), tcpRoute("second", time.Hour))
	c := fake.NewClientBuilder().WithScheme(builtin(t)).WithObjects(all...).WithStatusSubresource(kinds.Object(kinds.GatewayTCPRoute)).Build()
	sources := routeSources("osm")
	i := slices.IndexFunc(sources, func(s kinds.Source) bool { return s.Kind == entity.KindGatewayTCPRoute })
	r := &routeReconciler{client: c, mirror: meshOf(t, all...), leader: &Leader{}, rejections: noRejections(), mesh: "osm", source: sources[i]}
	r.leader.leading.Store(true)
	limited := report.LimitedPolicy{Kind: kinds.TCPRoute.Kind, Namespace: "shop", Name: "first", ServiceAccounts: []string{"shop/client"}}
	r.rejections.update(report.Rejections{Limited: []report.LimitedPolicy{limited}}, nil, true)
	expect := func(name, want string) {
		t.Helper()
		key := client.ObjectKey{Namespace: "shop", Name: name}
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
			t.Fatal(err)
		}
		object := kinds.Object(kinds.GatewayTCPRoute)
		if err := c.Get(t.Context(), key, object); err != nil {
			t.Fatal(err)
		}
		route, err := gatewayapi.ReadStatus[gatewayv1.TCPRoute](object)
		if err != nil || len(route.Status.Parents) != 1 || route.Status.Parents[0].Conditions[0].Reason != want {
			t.Errorf("%s: %+v %v, want %s", name, route.Status.Parents, err, want)
		}
	}
	expect("first", "Accepted")
	expect("second", "Conflicted")
	limited.Kind = string(entity.KindGatewayTCPRoute)
	r.rejections.update(report.Rejections{Limited: []report.LimitedPolicy{limited}}, nil, true)
	expect("first", kinds.ReasonTooManyRoutes)
	if err := c.Delete(t.Context(), tcpRoute("first", 0)); err != nil {
		t.Fatal(err)
	}
	r.mirror.Apply([]catalog.Change{{Ref: entity.Ref{Kind: entity.KindGatewayTCPRoute, Name: entity.Name{Namespace: "shop", Name: "first"}}}})
	r.mirror.Update(t.Context())
	expect("second", "Accepted")
}
