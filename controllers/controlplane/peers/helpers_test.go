package peers

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/gatewayapi"
	"github.com/openservicemesh/osm-operator/internal/controlplane/mirror"
	"github.com/openservicemesh/osm-operator/internal/controlplane/peering"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// exchange is an exchange with a fixed state.
type exchange struct {
	states   []peering.State
	exported peering.Exported
	offers   bool
}

func (e *exchange) States() []peering.State             { return e.states }
func (e *exchange) Exported(string) peering.Exported    { return e.exported }
func (e *exchange) Offers(_ string, _ entity.Name) bool { return e.offers }

// testMesh is a mesh with a clock, and a count of the writes.
type testMesh struct {
	Writers
	mesh     *mirror.Mirror
	exchange *exchange
	now      time.Time
	leading  bool
	writes   int
}

// newTestMesh returns the mesh west.example with objects of the cluster.
func newTestMesh(t *testing.T, objects ...client.Object) *testMesh {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := operatorv1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []schema.GroupVersionKind{kinds.ServiceExport, kinds.ServiceImport} {
		scheme.AddKnownTypeWithName(kind, &unstructured.Unstructured{})
		scheme.AddKnownTypeWithName(kind.GroupVersion().WithKind(kind.Kind+"List"), &unstructured.UnstructuredList{})
	}
	w := &testMesh{mesh: mirror.New(), exchange: &exchange{}, now: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), leading: true}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&operatorv1alpha1.MeshPeer{}, kinds.Object(kinds.ServiceExport), kinds.Object(kinds.ServiceImport)).
		WithInterceptorFuncs(interceptor.Funcs{
			SubResourcePatch: func(ctx context.Context, c client.Client, _ string, o client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
				w.writes++
				return c.Status().Patch(ctx, o, patch, options...)
			},
		}).Build()
	w.Writers = Writers{
		Client: c, Leading: func() bool { return w.leading }, Mirror: w.mesh, Ready: func() bool { return true },
		Exchange: func() Exchange { return w.exchange }, Domains: func() identity.TrustDomains { return identity.TrustDomains{Known: []string{"west.example"}} },
		Mesh: "osm", Version: "v0.6.0", Now: func() time.Time { return w.now },
	}
	w.set(&catalog.Namespace{Name: "shop", Monitored: true})
	return w
}

// set changes entries of the mesh.
func (w *testMesh) set(entries ...catalog.Entry) {
	var changes []catalog.Change
	for _, entry := range entries {
		changes = append(changes, catalog.Set(entry))
	}
	w.mesh.Apply(changes)
	w.mesh.Update(context.Background())
}

func reconcileOne(t *testing.T, r reconcile.Reconciler, namespace, name string) ctrl.Result {
	t.Helper()
	result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: namespace, Name: name}})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// consentObject returns a ServiceExport or ServiceImport of namespace shop; without the label if peer is empty.
func consentObject(kind schema.GroupVersionKind, name, peer string) *unstructured.Unstructured {
	object := kinds.Object(kind)
	object.SetNamespace("shop")
	object.SetName(name)
	if peer != "" {
		object.SetLabels(map[string]string{names.PeerLabel: peer})
	}
	return object
}

// consentStatusOf returns the status of an object of namespace shop.
func (w *testMesh) consentStatusOf(t *testing.T, kind schema.GroupVersionKind, name string) consentStatus {
	t.Helper()
	object := kinds.Object(kind)
	if err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, object); err != nil {
		t.Fatal(err)
	}
	read, err := gatewayapi.ReadStatus[consent](object)
	if err != nil {
		t.Fatal(err)
	}
	return read.Status
}

// checkCondition compares one condition, as "<status> <reason>: <part of the message>". An empty text means that there is none.
func checkCondition(t *testing.T, conditions []metav1.Condition, kind, want string) {
	t.Helper()
	got := ""
	for _, c := range conditions {
		if c.Type == kind {
			got = fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
		}
	}
	head, text, _ := strings.Cut(want, ": ")
	if !strings.HasPrefix(got, head) || !strings.Contains(got, text) || want == "" && got != "" {
		t.Errorf("%s is %q, want %q", kind, got, want)
	}
}
