package certificates

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/certificate"
)

// injectedWebhooks are a certificate below a root of its own, and a configuration whose two webhooks cert-manager's injector maintains. Their
// kind does not exist, so they are never called.
const injectedWebhooks = `apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: injected, namespace: cert-manager}
spec: {selfSigned: {}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: injected, namespace: cert-manager}
spec:
  isCA: true
  commonName: injected
  secretName: injected
  privateKey: {algorithm: ECDSA, size: 256, rotationPolicy: Always}
  issuerRef: {name: injected, kind: Issuer}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: injected, annotations: {cert-manager.io/inject-ca-from: cert-manager/injected}}
webhooks:
- name: active.injected.example
  rules: [{apiGroups: [injected.example], apiVersions: [v1], operations: [CREATE], resources: [nothing]}]
  admissionReviewVersions: [v1]
  sideEffects: None
  clientConfig: {service: {name: injected, namespace: cert-manager}}
- name: canary.injected.example
  rules: [{apiGroups: [injected.example], apiVersions: [v1], operations: [CREATE], resources: [nothing]}]
  admissionReviewVersions: [v1]
  sideEffects: None
  clientConfig: {service: {name: injected, namespace: cert-manager}}
`

// The operator maintains the trust of its webhooks itself: cert-manager's injector withdraws no root before it expires, and it gives all webhooks
// of a configuration the same trust, also that of a canary.
func TestInjectorOfCertManagerWithdrawsNothing(t *testing.T) {
	lab.RequireFull(t)
	t.Cleanup(func() { lab.Must(t, cluster.Delete(context.Background(), injectedWebhooks)) })
	lab.Must(t, cluster.Apply(t.Context(), injectedWebhooks))
	first := awaitInjected(t, nil)
	lab.Must(t, cluster.Client.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "cert-manager", Name: "injected"}}))
	second := awaitInjected(t, first)
	old, err := certificate.Fingerprints(first)
	lab.Must(t, err)
	now, err := certificate.Fingerprints(second)
	lab.Must(t, err)
	if len(old) != 1 || len(now) != 2 || !slices.Contains(now, old[0]) {
		t.Errorf("the webhooks trusted %v and now trust %v, want the withdrawn root too: if the injector withdraws it, the operator could use the injector", old, now)
	}
}

// awaitInjected waits until both webhooks trust another root than before, and returns it.
func awaitInjected(t *testing.T, before []byte) []byte {
	t.Helper()
	var bundle []byte
	lab.Eventually(t, time.Minute, "the injector has written the trust", func(ctx context.Context) (bool, string, error) {
		configuration := &admissionv1.ValidatingWebhookConfiguration{}
		if err := cluster.Client.Get(ctx, client.ObjectKey{Name: "injected"}, configuration); err != nil {
			return false, "", err
		}
		bundle = configuration.Webhooks[0].ClientConfig.CABundle
		same := bytes.Equal(bundle, configuration.Webhooks[1].ClientConfig.CABundle)
		return len(bundle) > 0 && !bytes.Equal(bundle, before) && same, fmt.Sprintf("%d bytes, equal in both webhooks: %v", len(bundle), same), nil
	})
	return bundle
}
