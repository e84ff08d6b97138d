package backendtls

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/secrets"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// sink keeps the entries that it receives.
type sink map[string]*catalog.BackendAuthorities

func (s sink) Apply(changes []catalog.Change) {
	for _, change := range changes {
		entry, _ := change.Entry.(*catalog.BackendAuthorities)
		if s[change.Ref.Name.String()] = entry; entry == nil {
			delete(s, change.Ref.Name.String())
		}
	}
}

func object(kind schema.GroupVersionKind, namespace, name string, spec map[string]any) *unstructured.Unstructured {
	u := kinds.Object(kind)
	u.SetNamespace(namespace)
	u.SetName(name)
	u.Object["spec"] = spec
	return u
}

func policy(namespace, configMap string) *unstructured.Unstructured {
	return object(kinds.BackendTLSPolicy, namespace, "p", map[string]any{
		"targetRefs": []any{map[string]any{"group": catalog.PolicyGroup, "kind": "Egress", "name": "api"}},
		"validation": map[string]any{"hostname": "api.example.com", "caCertificateRefs": []any{map[string]any{"group": "", "kind": "ConfigMap", "name": configMap}}},
	})
}

func newScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	scheme.AddKnownTypes(configv1alpha2.GroupVersion, &configv1alpha2.MeshConfig{})
	for _, kind := range []schema.GroupVersionKind{kinds.Egress, kinds.ExtensionService, kinds.UpstreamTrafficSetting, kinds.BackendTLSPolicy} {
		scheme.AddKnownTypeWithName(kind, &unstructured.Unstructured{})
		scheme.AddKnownTypeWithName(kind.GroupVersion().WithKind(kind.Kind+"List"), &unstructured.UnstructuredList{})
	}
	return scheme
}

// conditions returns the reasons in the status of the policy of a namespace.
func conditions(t *testing.T, c client.Client, namespace string) string {
	t.Helper()
	u := kinds.Object(kinds.BackendTLSPolicy)
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "p"}, u); err != nil {
		t.Fatal(err)
	}
	ancestors, _, _ := unstructured.NestedSlice(u.Object, "status", "ancestors")
	text := ""
	for _, a := range ancestors {
		ancestor := a.(map[string]any)
		ref := ancestor["ancestorRef"].(map[string]any)
		text += fmt.Sprintf("%s %s by %s:", ref["kind"], ref["name"], ancestor["controllerName"])
		list, _, _ := unstructured.NestedSlice(ancestor, "conditions")
		for _, condition := range list {
			text += fmt.Sprintf(" %s", condition.(map[string]any)["reason"])
		}
	}
	return text
}

// TestBackendTLSPolicies follows a ConfigMap: read for a policy of the mesh only, reported in its status, kept while it cannot be read, and removed with
// the policy.
func TestBackendTLSPolicies(t *testing.T) {
	scheme := newScheme(t)
	egress := object(kinds.Egress, "shop", "api", map[string]any{
		"sources": []any{map[string]any{"kind": "ServiceAccount", "name": "till", "namespace": "shop"}},
		"hosts":   []any{"api.example.com"}, "ports": []any{map[string]any{"number": int64(80), "protocol": "http"}},
	})
	ca := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "ca"}, Data: map[string]string{"ca.crt": string(pki.New(t).RootPEM)}}
	var unreadable error
	c := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(policy("shop", "ca")).WithObjects(
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{names.MonitoredByLabel: "osm"}}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "apart"}}, egress, policy("shop", "ca"), policy("apart", "ca"),
	).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			if _, isConfigMap := object.(*corev1.ConfigMap); isConfigMap && unreadable != nil {
				return unreadable
			}
			return c.Get(ctx, key, object, options...)
		},
	}).Build()
	got, leading, known := sink{}, false, false
	var rejections []report.Rejection
	now := time.Now()
	r := &Reconciler{
		Client: c, ConfigMaps: c, Leading: func() bool { return leading }, Sink: got, Mesh: "osm", Namespace: "osm-system", Now: func() time.Time { return now },
		Rejected: func(string, string, string) ([]report.Rejection, bool) { return rejections, known },
	}
	reconcile := func() error {
		now = now.Add(secrets.ReadInterval)
		_, err := r.Reconcile(t.Context(), ctrl.Request{})
		return err
	}
	if err := reconcile(); err != nil || len(got) != 1 || got["shop/ca"] == nil || got["shop/ca"].Problem == "" {
		t.Fatalf("entries %v (%v), want a problem with the ConfigMap of the mesh that does not exist", got, err)
	}
	if text := conditions(t, c, "shop"); text != "" {
		t.Errorf("a replica without the Lease writes the status %q", text)
	}
	leading = true
	if err := reconcile(); err != nil || conditions(t, c, "shop") != "" {
		t.Errorf("the status is %q (%v) before the rejections of sidecars are known", conditions(t, c, "shop"), err)
	}
	known = true
	const by = "Egress api by gateway.openservicemesh.io/osm:"
	if err := reconcile(); err != nil || conditions(t, c, "shop") != by+" NoValidCACertificate InvalidCACertificateRef" || conditions(t, c, "apart") != "" {
		t.Errorf("the status is %q, and %q outside the mesh (%v)", conditions(t, c, "shop"), conditions(t, c, "apart"), err)
	}
	if err := c.Create(t.Context(), ca); err != nil {
		t.Fatal(err)
	}
	if err := reconcile(); err != nil || got["shop/ca"].Problem != "" || conditions(t, c, "shop") != by+" Accepted ResolvedRefs" {
		t.Errorf("the status is %q with %v (%v)", conditions(t, c, "shop"), got, err)
	}
	rejections = []report.Rejection{{Text: "bad"}}
	if err := reconcile(); err != nil || conditions(t, c, "shop") != by+" RejectedByProxy ResolvedRefs" {
		t.Errorf("the status is %q (%v), want that sidecars reject the policy", conditions(t, c, "shop"), err)
	}
	rejections = nil
	unreadable = errors.New("the API server does not answer")
	if err := reconcile(); err == nil || len(got) != 1 || got["shop/ca"].Problem != "" {
		t.Errorf("entries %v (%v), want the last content and an error", got, err)
	}
	if err := c.Delete(t.Context(), policy("shop", "ca")); err != nil {
		t.Fatal(err)
	}
	if err := reconcile(); err != nil || len(got) != 0 {
		t.Errorf("entries %v (%v), want none without the policy", got, err)
	}
}

// reconcileAuthorities reconciles once in the replica that writes status, and checks that the authorities of a policy in the namespace of the mesh are read.
func reconcileAuthorities(t *testing.T, c client.Client, got sink) *Reconciler {
	t.Helper()
	r := &Reconciler{
		Client: c, ConfigMaps: c, Leading: func() bool { return true }, Sink: got, Mesh: "osm", Namespace: "osm-system", Now: time.Now,
		Rejected: func(string, string, string) ([]report.Rejection, bool) { return nil, true },
	}
	if _, err := r.Reconcile(t.Context(), ctrl.Request{}); err != nil || got["osm-system/ca"] == nil || got["osm-system/ca"].Problem != "" {
		t.Errorf("entries %v (%v), want the authorities", got, err)
	}
	return r
}

// TestPolicyOfTheMesh checks that a policy for an ExtensionService in the namespace of the control plane, which is no member of the mesh, is read and has a status.
func TestPolicyOfTheMesh(t *testing.T) {
	scheme := newScheme(t)
	ofServer := policy("osm-system", "ca")
	target := map[string]any{"group": catalog.ConfigGroup, "kind": "ExtensionService", "name": "opa"}
	if err := unstructured.SetNestedSlice(ofServer.Object, []any{target}, "spec", "targetRefs"); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(ofServer).WithObjects(
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "osm-system"}}, ofServer,
		object(kinds.ExtensionService, "osm-system", "opa", map[string]any{"host": "opa.example.com", "port": int64(9191)}),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "ca"}, Data: map[string]string{"ca.crt": string(pki.New(t).RootPEM)}},
	).Build()
	got := sink{}
	reconcileAuthorities(t, c, got)
	if text := conditions(t, c, "osm-system"); text != "ExtensionService opa by gateway.openservicemesh.io/osm: Accepted ResolvedRefs" {
		t.Errorf("the status is %q", text)
	}
}

// TestPolicyOfAService checks that the policy for a Service is read, and has a status, as long as the MeshConfig names the Service as a server.
func TestPolicyOfAService(t *testing.T) {
	ofService := policy("osm-system", "ca")
	target := map[string]any{"group": "", "kind": "Service", "name": "jaeger", "sectionName": "zipkin"}
	if err := unstructured.SetNestedSlice(ofService.Object, []any{target}, "spec", "targetRefs"); err != nil {
		t.Fatal(err)
	}
	config := &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: names.MeshConfig}}
	config.Spec.Observability.Tracing = configv1alpha2.TracingSpec{Enable: true, Address: "jaeger.osm-system.svc.cluster.local", Port: 9411, Endpoint: "/api/v2/spans"}
	c := fake.NewClientBuilder().WithScheme(newScheme(t)).WithStatusSubresource(ofService).WithObjects(
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "osm-system"}}, ofService, config,
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "jaeger"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "zipkin", Port: 9411}}}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "ca"}, Data: map[string]string{"ca.crt": string(pki.New(t).RootPEM)}},
	).Build()
	got := sink{}
	r := reconcileAuthorities(t, c, got)
	if text := conditions(t, c, "osm-system"); text != "Service jaeger by gateway.openservicemesh.io/osm: Accepted ResolvedRefs" {
		t.Errorf("the status is %q", text)
	}
	config.Spec.Observability.Tracing.Enable = false
	if err := c.Update(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reconcile(t.Context(), ctrl.Request{}); err != nil || len(got) != 0 || conditions(t, c, "osm-system") != "" {
		t.Errorf("without traces, the entries are %v and the status is %q (%v)", got, conditions(t, c, "osm-system"), err)
	}
}

// TestConfigMapBeyondTheLimitIsReadOnceThereIsRoom checks that a ConfigMap is read as soon as policies no longer refer to too many, however short the time is.
func TestConfigMapBeyondTheLimitIsReadOnceThereIsRoom(t *testing.T) {
	now := time.Now()
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{names.MonitoredByLabel: "osm"}}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "last"}, Data: map[string]string{"ca.crt": string(pki.New(t).RootPEM)}},
	}
	for i := range gateway.MaxAuthorities {
		p := policy("shop", fmt.Sprint("ca", i))
		p.SetName(fmt.Sprint("p", i))
		p.SetCreationTimestamp(metav1.NewTime(now.Add(-time.Hour)))
		objects = append(objects, p)
	}
	last := policy("shop", "last")
	last.SetName("q")
	last.SetCreationTimestamp(metav1.NewTime(now))
	c := fake.NewClientBuilder().WithScheme(newScheme(t)).WithStatusSubresource(last).WithObjects(append(objects, last)...).Build()
	got := sink{}
	r := &Reconciler{
		Client: c, ConfigMaps: c, Leading: func() bool { return false }, Sink: got, Mesh: "osm", Namespace: "osm-system", Now: func() time.Time { return now },
	}
	if _, err := r.Reconcile(t.Context(), ctrl.Request{}); err != nil || got["shop/last"] == nil || !strings.Contains(got["shop/last"].Problem, "is not read") {
		t.Fatalf("the entry beyond the limit is %+v (%v)", got["shop/last"], err)
	}
	if err := c.Delete(t.Context(), objects[2]); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reconcile(t.Context(), ctrl.Request{}); err != nil || got["shop/last"].Problem != "" {
		t.Errorf("the entry within the limit is %+v (%v)", got["shop/last"], err)
	}
}
