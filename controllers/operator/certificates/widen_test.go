package certificates

import (
	"context"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/operator/webhooks"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// laggingClient reads from a cache that does not know the last changes yet.
type laggingClient struct {
	client.Client
	cache client.Reader
}

func (c laggingClient) Get(ctx context.Context, key client.ObjectKey, object client.Object, o ...client.GetOption) error {
	return c.cache.Get(ctx, key, object, o...)
}

// A canary that begins or ends while the root of the webhooks changes must not be lost or restored by a cache.
func TestTrustIsWidenedWithTheCanaryOfTheAPIServer(t *testing.T) {
	const version = "v0.5.0"
	images := operand.Images{Controller: "controller:1", Injector: "injector:1", Init: "init:1", Sidecar: "envoy:1"}
	catalogue, err := operand.NewCatalogue(version, images)
	if err != nil {
		t.Fatal(err)
	}
	root, other := newRoot(t), newRoot(t)
	bundles := webhooks.Bundles{}
	for _, secret := range []string{secrets.InjectorCert, secrets.ValidatorCert, secrets.CanaryCert} {
		bundles[secret] = root.CertPEM()
	}
	revision := func(name string) v1alpha1.MeshRevision {
		return v1alpha1.MeshRevision{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.MeshRevisionSpec{
				Mesh: "osm", Version: version, Namespace: "osm-system", TrustDomain: "cluster.local", Role: v1alpha1.RoleActive,
				Images: v1alpha1.RevisionImages{Controller: images.Controller, Injector: images.Injector, Init: images.Init, Sidecar: images.Sidecar},
			},
		}
	}
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "osm-system", UID: "1"}}
	webhook := func(canary bool) *admissionv1.MutatingWebhookConfiguration {
		w := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook("osm")}}
		w.Webhooks = []admissionv1.MutatingWebhook{{Name: "osm-inject.k8s.io", ClientConfig: admissionv1.WebhookClientConfig{CABundle: other.CertPEM()}}}
		if canary {
			early := metav1.LabelSelectorRequirement{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: []string{"early"}}
			selector := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{early}}
			w.Webhooks = append(w.Webhooks, admissionv1.MutatingWebhook{Name: names.CanaryWebhook, NamespaceSelector: selector, ClientConfig: admissionv1.WebhookClientConfig{
				CABundle: other.CertPEM(), Service: &admissionv1.ServiceReference{Name: names.WithSuffix(names.Injector, names.CanarySuffix("osm", "osm-v0-5-1"))},
			}})
		}
		return w
	}
	for name, live := range map[string]bool{"the canary has ended": false, "the canary has begun": true} {
		t.Run(name, func(t *testing.T) {
			cluster := fake.NewClientBuilder().WithScheme(scheme).WithObjects(webhook(live)).Build()
			lagging := laggingClient{cluster, fake.NewClientBuilder().WithScheme(scheme).WithObjects(webhook(!live)).Build()}
			r := &Reconciler{
				Cluster: &observe.Cluster{Client: lagging, Live: cluster, Catalogue: catalogue, OperatorNamespace: names.OperatorNamespace, Now: noon},
				Applier: apply.New(cluster, &events.FakeRecorder{}),
			}
			p := &pass{mesh: &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", UID: "2"}}, namespace: namespace, bundles: bundles, revisions: []v1alpha1.MeshRevision{revision("osm-v0-5-0")}}
			if err := r.widenTrust(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			after := webhook(false)
			if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(after), after); err != nil {
				t.Fatal(err)
			}
			hasCanary := false
			for _, w := range after.Webhooks {
				hasCanary = hasCanary || w.Name == names.CanaryWebhook
			}
			if hasCanary != live || !webhooks.Trusts(after, bundles) {
				t.Errorf("the canary is there: %t, want %t; all servers are trusted: %t", hasCanary, live, webhooks.Trusts(after, bundles))
			}
		})
	}
}
