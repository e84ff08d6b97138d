package egressgateway

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/secrets"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// sink keeps the entries that it receives.
type sink map[entity.Ref]*catalog.EgressCredential

func (s sink) Apply(changes []catalog.Change) {
	for _, change := range changes {
		entry, _ := change.Entry.(*catalog.EgressCredential)
		if s[change.Ref] = entry; entry == nil {
			delete(s, change.Ref)
		}
	}
}

func egress(namespace, secret string) *unstructured.Unstructured {
	u := kinds.Object(kinds.Egress)
	u.SetNamespace(namespace)
	u.SetName("outside")
	u.Object["spec"] = map[string]any{
		"sources": []any{map[string]any{"kind": "ServiceAccount", "name": "till", "namespace": namespace}},
		"hosts":   []any{"api.example.com"}, "ports": []any{map[string]any{"number": int64(80), "protocol": "http"}},
		"gateway": map[string]any{"tls": map[string]any{"secretName": secret}},
	}
	return u
}

// TestSecretsOfEgresses follows a Secret: read for an Egress of the mesh only, kept while it cannot be read, and removed with its Egress.
func TestSecretsOfEgresses(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	list := kinds.Egress
	list.Kind += "List"
	scheme.AddKnownTypeWithName(kinds.Egress, &unstructured.Unstructured{})
	scheme.AddKnownTypeWithName(list, &unstructured.UnstructuredList{})
	roots := pki.New(t).RootPEM
	secret := func(namespace string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "outside"}, Data: map[string][]byte{"ca.crt": roots}}
	}
	var unreadable error
	var asked []string
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{names.MonitoredByLabel: "osm"}}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "apart"}},
		egress("shop", "outside"), egress("apart", "outside"), secret("shop"), secret("apart"),
	).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			asked = append(asked, key.String())
			if unreadable != nil {
				return unreadable
			}
			return c.Get(ctx, key, object, options...)
		},
	}).Build()
	got := sink{}
	now := time.Now()
	r := &Reconciler{Client: c, Secrets: c, Sink: got, Mesh: "osm", Namespace: "osm-system", Now: func() time.Time { return now }}
	reconcile := func() error {
		now = now.Add(secrets.ReadInterval)
		_, err := r.Reconcile(t.Context(), ctrl.Request{})
		return err
	}
	ref := entity.Ref{Kind: entity.KindEgressCredential, Name: entity.Name{Namespace: "shop", Name: "outside"}}
	if err := reconcile(); err != nil || len(got) != 1 || string(got[ref].AuthoritiesPEM) != string(roots) {
		t.Fatalf("entries %v (%v), want that of the mesh", got, err)
	}
	if len(asked) != 1 || asked[0] != "shop/outside" {
		t.Errorf("Secrets %v were read, want only that of the mesh", asked)
	}
	if result, err := r.Reconcile(t.Context(), ctrl.Request{}); err != nil || len(asked) != 1 || result.RequeueAfter != secrets.ReadInterval {
		t.Errorf("an event directly after the reading reads again: %v, and then after %s (%v)", asked, result.RequeueAfter, err)
	}
	unreadable = errors.New("the API server does not answer")
	if err := reconcile(); err == nil || len(got) != 1 || got[ref].Problem != "" {
		t.Errorf("entries %v (%v), want an error and the last content", got, err)
	}
	unreadable = nil
	if err := c.Delete(t.Context(), secret("shop")); err != nil {
		t.Fatal(err)
	}
	if err := reconcile(); err != nil || got[ref].Problem == "" || len(got[ref].AuthoritiesPEM) > 0 {
		t.Errorf("entry %+v (%v), want a problem without a content", got[ref], err)
	}
	if err := c.Delete(t.Context(), egress("shop", "outside")); err != nil {
		t.Fatal(err)
	}
	if err := reconcile(); err != nil || len(got) != 0 {
		t.Errorf("entries %v (%v), want none without the Egress", got, err)
	}
}
