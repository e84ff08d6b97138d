package gateway

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// demandCertificates makes the Gateway demand certificates of clients.
func (f *fixture) demandCertificates(t *testing.T, mode gatewayv1.FrontendValidationModeType) {
	t.Helper()
	object := kinds.Object(kinds.Gateway)
	if err := f.Client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "web"}, object); err != nil {
		t.Fatal(err)
	}
	validation := map[string]any{"mode": string(mode), "caCertificateRefs": []any{map[string]any{"group": "", "kind": "ConfigMap", "name": "clients"}}}
	if err := unstructured.SetNestedMap(object.Object, validation, "spec", "tls", "frontend", "default", "validation"); err != nil {
		t.Fatal(err)
	}
	if err := f.Client.Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// TestAuthoritiesOfClients demands certificates of clients. The listener for HTTPS is served once the ConfigMap has authorities, and the other one always.
func TestAuthoritiesOfClients(t *testing.T) {
	f := newFixture(t, secret(t))
	f.demandCertificates(t, gatewayv1.AllowValidOnly)
	f.forbidden = true
	f.reconcile(t)
	_, problems := f.statusOfGateway(t)
	text := strings.Join(problems, "\n")
	if !strings.Contains(text, "https Accepted: ") || !strings.Contains(text, "https ResolvedRefs: The control plane may not get ConfigMaps of the namespace shop") || strings.Contains(text, "http ") {
		t.Errorf("forbidden: problems\n%s", text)
	}
	f.forbidden = false
	f.now = f.now.Add(awaitInterval)
	f.reconcile(t)
	status, problems := f.statusOfGateway(t)
	text = strings.Join(problems, "\n")
	if !strings.Contains(text, "https ResolvedRefs: The ConfigMap shop/clients does not exist.") || strings.Contains(text, "http ") {
		t.Errorf("missing: problems\n%s", text)
	}
	for kind, want := range map[gatewayv1.ListenerConditionType]gatewayv1.ListenerConditionReason{
		gatewayv1.ListenerConditionAccepted: gatewayv1.ListenerReasonNoValidCACertificate, gatewayv1.ListenerConditionResolvedRefs: gatewayv1.ListenerReasonInvalidCACertificateRef,
	} {
		if c := meta.FindStatusCondition(status.Listeners[1].Conditions, string(kind)); c == nil || c.Reason != string(want) {
			t.Errorf("missing: %s is %+v, want the reason %s", kind, c, want)
		}
	}
	root := string(pki.New(t).RootPEM)
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "clients"}, Data: map[string]string{"ca.crt": root}}
	if err := f.Client.Create(t.Context(), configMap); err != nil {
		t.Fatal(err)
	}
	f.sink.changes = nil
	f.now = f.now.Add(awaitInterval)
	f.reconcile(t)
	if _, problems := f.statusOfGateway(t); len(problems) > 0 {
		t.Errorf("with authorities: problems %q", problems)
	}
	if !slices.ContainsFunc(f.sink.changes, func(c catalog.Change) bool {
		authorities, ok := c.Entry.(*catalog.GatewayAuthorities)
		return ok && string(authorities.PEM) == root
	}) {
		t.Errorf("the control plane got %+v", f.sink.changes)
	}
}

// TestInsecureValidationMode checks that the condition of the Gateway exists only while a listener admits clients without a valid certificate.
func TestInsecureValidationMode(t *testing.T) {
	f := newFixture(t, secret(t), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "clients"}, Data: map[string]string{"ca.crt": string(pki.New(t).RootPEM)}})
	for _, mode := range []gatewayv1.FrontendValidationModeType{gatewayv1.AllowValidOnly, gatewayv1.AllowInsecureFallback, gatewayv1.AllowValidOnly} {
		f.demandCertificates(t, mode)
		f.reconcile(t)
		status, problems := f.statusOfGateway(t)
		c := meta.FindStatusCondition(status.Conditions, string(gatewayv1.GatewayConditionInsecureFrontendValidationMode))
		if insecure := mode == gatewayv1.AllowInsecureFallback; len(problems) > 0 || (c != nil) != insecure || insecure && (c.Status != metav1.ConditionTrue || c.Reason != "ConfigurationChanged") {
			t.Errorf("%s: condition %+v, problems %q", mode, c, problems)
		}
		written := f.writes
		f.reconcile(t)
		if f.writes != written {
			t.Errorf("%s: %d writes without a change", mode, f.writes-written)
		}
	}
}
