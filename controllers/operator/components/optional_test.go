package components

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	meshstatus "github.com/openservicemesh/osm-operator/internal/operator/status"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// meshWithPrometheus is a Mesh with a mode of Prometheus, in an API server with a member namespace.
func meshWithPrometheus(t *testing.T, mode v1alpha1.PrometheusMode) (*Reconciler, *v1alpha1.Mesh) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	mesh := &v1alpha1.Mesh{
		ObjectMeta: metav1.ObjectMeta{Name: "osm", UID: "m"},
		Spec:       v1alpha1.MeshSpec{Observability: &v1alpha1.ObservabilitySpec{Prometheus: &v1alpha1.PrometheusComponent{Mode: ptr.To(mode)}}},
		Status:     v1alpha1.MeshStatus{Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady}}},
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(mesh).WithObjects(
		mesh,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{names.MonitoredByLabel: "osm"}}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "apart", Labels: map[string]string{names.MonitoredByLabel: "osm", names.IgnoreLabel: "true"}}},
	).Build()
	return &Reconciler{
		Cluster: &observe.Cluster{Client: c, Now: time.Now}, Status: meshstatus.NewWriter(c), Objects: c, Applier: apply.New(c, events.NewFakeRecorder(100)), Kinds: allKinds{},
		Components: []component.Component{prometheus.Managed{}, prometheus.Monitors{}},
	}, mesh
}

// pass reconciles all components once.
func pass(t *testing.T, r *Reconciler, mesh *v1alpha1.Mesh) []v1alpha1.ComponentStatus {
	t.Helper()
	members, err := r.MemberNames(t.Context(), mesh.Name)
	if err != nil {
		t.Fatal(err)
	}
	statuses, _ := r.reconcileAll(t.Context(), r.Applier.For(mesh), mesh, component.Inputs{Mesh: mesh, Members: members}, "")
	mesh.Status.Components = statuses
	return statuses
}

// A managed Prometheus has its objects in the namespaces of the mesh, and none of them remains after it is switched off.
func TestDisabledComponentIsDeleted(t *testing.T) {
	r, mesh := meshWithPrometheus(t, v1alpha1.PrometheusManaged)
	statuses := pass(t, r, mesh)
	if len(statuses) != 1 || statuses[0].Name != "prometheus" || statuses[0].Ready || !strings.Contains(statuses[0].Message, "no ready pod") {
		t.Fatalf("status %+v, want only that of a server without pods", statuses)
	}
	role := client.ObjectKey{Namespace: "shop", Name: prometheus.Name}
	for _, reference := range statuses[0].Objects {
		if reference.Namespace == "apart" {
			t.Errorf("%s %s is in an ignored namespace", reference.Kind, reference.Name)
		}
	}
	objects := statuses[0].Objects
	if !exists(t, r, "rbac.authorization.k8s.io/v1", "Role", role) {
		t.Error("the server cannot discover pods of a member namespace")
	}

	mesh.Spec.Observability.Prometheus.Mode = ptr.To(v1alpha1.PrometheusDisabled)
	pass(t, r, mesh)
	if statuses := pass(t, r, mesh); len(statuses) != 0 {
		t.Errorf("status %+v after it was switched off, want none", statuses)
	}
	for _, reference := range objects {
		if exists(t, r, reference.APIVersion, reference.Kind, client.ObjectKey{Namespace: reference.Namespace, Name: reference.Name}) {
			t.Errorf("%s %s/%s remains", reference.Kind, reference.Namespace, reference.Name)
		}
	}
}

// A namespace that leaves the mesh loses its Role.
func TestRoleFollowsMembership(t *testing.T) {
	r, mesh := meshWithPrometheus(t, v1alpha1.PrometheusManaged)
	pass(t, r, mesh)
	shop := &corev1.Namespace{}
	if err := r.Client.Get(t.Context(), client.ObjectKey{Name: "shop"}, shop); err != nil {
		t.Fatal(err)
	}
	delete(shop.Labels, names.MonitoredByLabel)
	if err := r.Client.Update(t.Context(), shop); err != nil {
		t.Fatal(err)
	}
	pass(t, r, mesh)
	if exists(t, r, "rbac.authorization.k8s.io/v1", "Role", client.ObjectKey{Namespace: "shop", Name: prometheus.Name}) {
		t.Error("the server can read pods of a namespace that is not part of the mesh")
	}
}

func exists(t *testing.T, r *Reconciler, apiVersion, kind string, key client.ObjectKey) bool {
	t.Helper()
	object := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: kind}}
	err := r.Objects.Get(t.Context(), key, object)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return !apierrors.IsNotFound(err)
}

// unsyncedInformers are those of kinds that the API server does not list.
type unsyncedInformers struct{ cache.Informers }

func (unsyncedInformers) GetInformer(context.Context, client.Object, ...cache.InformerGetOption) (cache.Informer, error) {
	return unsyncedInformer{}, nil
}

type unsyncedInformer struct{ cache.Informer }

func (unsyncedInformer) HasSynced() bool { return false }

// hangReads lets reads of a kind wait as those of a cache that is not synced do.
func hangReads(r *Reconciler, kind string) {
	hanging := interceptor.NewClient(r.Objects.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			if object.GetObjectKind().GroupVersionKind().Kind == kind {
				<-ctx.Done()
				return ctx.Err()
			}
			return c.Get(ctx, key, object, options...)
		},
	})
	r.Objects = limitReads(hanging, unsyncedInformers{})
	r.Applier = apply.New(r.Objects, events.NewFakeRecorder(100))
}

// TestUnreadableObjectBlocksNoOtherComponent has an earlier component with an object of a kind that this version of the operator cannot read:
// its cache never has it. The other components are reconciled, and the status has the reason.
func TestUnreadableObjectBlocksNoOtherComponent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, mesh := meshWithPrometheus(t, v1alpha1.PrometheusManaged)
		mesh.Status.Components = []v1alpha1.ComponentStatus{{
			Name: "gateway", Objects: []v1alpha1.ObjectReference{{APIVersion: "gateway.networking.k8s.io/v1", Kind: "GatewayClass", Name: "osm"}},
		}}
		hangReads(r, "GatewayClass")
		statuses := pass(t, r, mesh)
		if len(statuses) != 2 || statuses[0].Name != "prometheus" || !strings.Contains(statuses[1].Message, "GatewayClass osm cannot be deleted: it cannot be read within 5s") {
			t.Errorf("status %+v, want that of Prometheus, and why the GatewayClass remains", statuses)
		}
	})
}

// TestUnlistableKindBlocksNoOtherComponent renders objects of a kind that the API server serves and does not list, for example because its
// conversion webhook is down.
func TestUnlistableKindBlocksNoOtherComponent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, mesh := meshWithPrometheus(t, v1alpha1.PrometheusManaged)
		r.Components = append([]component.Component{&widgets{}}, r.Components...)
		hangReads(r, "Widget")
		began := time.Now()
		for range 3 {
			statuses := pass(t, r, mesh)
			if len(statuses) != 2 || statuses[0].Name != "widgets" || statuses[1].Name != "prometheus" {
				t.Fatalf("status %+v, want those of two components", statuses)
			}
			if got := statuses[0]; got.Ready || got.Reason != v1alpha1.ReasonApplyFailed || !containsAll(got.Message, "Widget shop/a", "Widget shop/b", "conversion webhook") {
				t.Errorf("status %+v, want what cannot be read and what to do", got)
			}
			if strings.Contains(statuses[1].Message, "cannot be") {
				t.Errorf("Prometheus: %s", statuses[1].Message)
			}
		}
		if waited := time.Since(began); waited > 2*readTimeout {
			t.Errorf("the other components waited for %s", waited)
		}
	})
}

func containsAll(text string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}

// widgets is a component with two objects of one kind.
type widgets struct{}

func (*widgets) Name() string               { return "widgets" }
func (*widgets) Requires() []component.Kind { return nil }
func (*widgets) Images() []component.Image  { return nil }

func (*widgets) Health(live []*unstructured.Unstructured) component.Health {
	return component.Passive{}.Health(live)
}

func (*widgets) Render(component.Inputs) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for _, name := range []string{"a", "b"} {
		object := objectOf(schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Widget"})
		object.SetNamespace("shop")
		object.SetName(name)
		objects = append(objects, object)
	}
	return objects, nil
}

// allKinds is a Kinds that serves every kind, for dry runs of components with built-in kinds.
type allKinds struct{}

// Ensure implements Kinds.
func (allKinds) Ensure(context.Context, component.Kind) (bool, error) { return true, nil }
