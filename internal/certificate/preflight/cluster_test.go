package preflight

import (
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func newRoot(t *testing.T) *certificate.Root {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, noon)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestNamespacesWithout(t *testing.T) {
	first, second := newRoot(t), newRoot(t)
	trust := func(namespace, text string) client.Object {
		return &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: names.TrustConfigMap("osm")}, Data: map[string]string{names.CABundleCert: text},
		}
	}
	c := fake.NewClientBuilder().WithObjects(
		trust("both", string(first.Merge(second.CertPEM()))), trust("old", string(first.CertPEM())), trust("damaged", "no certificate"),
	).Build()
	got, err := NamespacesWithout(t.Context(), c, "osm", []string{"old", "both", "none", "damaged", "old"}, append(first.Anchors(), second.Anchors()...))
	if want := []string{"damaged", "none", "old"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
}

func TestWebhooksWithout(t *testing.T) {
	first, second := newRoot(t), newRoot(t)
	trusting := func(bundle []byte) admissionv1.WebhookClientConfig {
		return admissionv1.WebhookClientConfig{CABundle: bundle}
	}
	both := first.Merge(second.CertPEM())
	mutating := &admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook("osm")},
		Webhooks:   []admissionv1.MutatingWebhook{{ClientConfig: trusting(both)}, {ClientConfig: trusting(first.CertPEM())}},
	}
	validating := &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: names.ValidatingWebhook("osm"), Annotations: map[string]string{names.DriftAnnotation: names.DriftIgnore}},
		Webhooks:   []admissionv1.ValidatingWebhook{{ClientConfig: trusting(both)}},
	}
	trusted := append(first.Anchors(), second.Anchors()...)
	requireWebhooks(t, trusted, []string{"the webhook osm-webhook-osm does not trust every root"}, mutating, validating)
	mutating.Webhooks[1].ClientConfig = trusting(both)
	requireWebhooks(t, trusted, nil, mutating, validating)
	validating.Webhooks[0].ClientConfig = trusting(first.CertPEM())
	requireWebhooks(t, trusted, []string{"its annotation operator.openservicemesh.io/drift=ignore keeps the operator from updating it"}, mutating, validating)
	// A webhook that is not registered calls nothing.
	requireWebhooks(t, trusted, nil, mutating)
}

// requireWebhooks requires one sentence for each text.
func requireWebhooks(t *testing.T, trusted, want []string, live ...client.Object) {
	t.Helper()
	got, err := WebhooksWithout(t.Context(), fake.NewClientBuilder().WithObjects(live...).Build(), "osm", trusted)
	if err != nil || len(got) != len(want) {
		t.Fatalf("got %q (%v), want %q", got, err, want)
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
}
