package status

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// If a namespace joins the mesh, or arrives later than its policies, all its policies are evaluated.
func TestEnqueueInNamespace_WhenNamespaceJoins(t *testing.T) {
	inShop, elsewhere := target(rule("HTTPRouteGroup", "none")), target(rule("HTTPRouteGroup", "none"))
	elsewhere.SetNamespace("elsewhere")
	reader := fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithObjects(inShop, elsewhere).Build()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[ctrl.Request]())
	defer queue.ShutDown()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: inShop.GetNamespace()}}
	enqueueInNamespace(reader, kinds.TrafficTarget).Create(t.Context(), event.CreateEvent{Object: ns}, queue)
	if queue.Len() != 1 {
		t.Fatalf("%d objects are enqueued, want 1", queue.Len())
	}
	got, _ := queue.Get()
	want := ctrl.Request{NamespacedName: types.NamespacedName{Namespace: inShop.GetNamespace(), Name: inShop.GetName()}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestInMesh_ExcludesOtherAndDeletedNamespaces(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	now := metav1.Now()
	namespace := func(name string, labels map[string]string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	}
	going := namespace("going", map[string]string{names.MonitoredByLabel: "osm"})
	going.DeletionTimestamp, going.Finalizers = &now, []string{"kubernetes"}
	reader := fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		namespace("in", map[string]string{names.MonitoredByLabel: "osm"}),
		namespace("other", map[string]string{names.MonitoredByLabel: "other"}),
		namespace("ignored", map[string]string{names.MonitoredByLabel: "osm", names.IgnoreLabel: ""}),
		going).Build()
	for name, want := range map[string]bool{"in": true, "other": false, "ignored": false, "going": false, "none": false} {
		got, err := inMesh(reader, "osm")(t.Context(), name)
		if err != nil || got != want {
			t.Errorf("namespace %s: %t %v, want %t", name, got, err, want)
		}
	}
}

// A change of a route group leads to an evaluation of the policies that name it, not of all in the namespace.
func TestEnqueueNaming(t *testing.T) {
	naming, other := target(rule("HTTPRouteGroup", "changed")), target(rule("HTTPRouteGroup", "other"))
	other.SetName("other")
	elsewhere := target(rule("HTTPRouteGroup", "changed"))
	elsewhere.SetNamespace("elsewhere")
	reader := fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithObjects(naming, other, elsewhere).Build()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[ctrl.Request]())
	defer queue.ShutDown()
	changed := kinds.Object(kinds.HTTPRouteGroup)
	changed.SetNamespace(naming.GetNamespace())
	changed.SetName("changed")
	enqueueNaming(reader, kinds.TrafficTarget).Create(t.Context(), event.CreateEvent{Object: changed}, queue)
	if queue.Len() != 1 {
		t.Fatalf("%d objects are enqueued, want 1", queue.Len())
	}
	if got, _ := queue.Get(); got.Name != naming.GetName() || got.Namespace != naming.GetNamespace() {
		t.Errorf("%s is enqueued, want the TrafficTarget that names the route group", got)
	}
}

// The status of Egresses depends on the readiness of the egress gateway, so its EndpointSlices lead to an evaluation, and no others do.
func TestEgressesFollowReadinessOfGateway(t *testing.T) {
	slice := func(namespace, service string) *discoveryv1.EndpointSlice {
		return &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "s", Labels: map[string]string{discoveryv1.LabelServiceName: service}}}
	}
	for _, row := range (Writers{Namespace: "osm-system"}).policyKinds() {
		if (row.ready != nil) != (row.kind == kinds.Egress) {
			t.Errorf("%s is evaluated after changes of EndpointSlices: %t", row.kind.Kind, row.ready != nil)
		}
		if row.ready == nil {
			continue
		}
		for _, c := range []struct {
			slice *discoveryv1.EndpointSlice
			want  bool
		}{
			{slice("osm-system", names.EgressGateway), true}, {slice("osm-system", names.IngressGateway), false}, {slice("shop", names.EgressGateway), false},
		} {
			if got := row.ready(c.slice); got != c.want {
				t.Errorf("the EndpointSlice of %s/%s is selected: %t", c.slice.Namespace, c.slice.Labels[discoveryv1.LabelServiceName], got)
			}
		}
	}
}
