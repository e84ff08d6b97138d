package servertest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/backendtls"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/status"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// noSink drops what it receives.
type noSink struct{}

func (noSink) Apply([]catalog.Change) {}

// addEncryption adds the controller of BackendTLSPolicies.
func addEncryption(t *testing.T, mgr manager.Manager, definitions *traffic.Definitions, leader *status.Leader, rejections *status.Rejections) {
	t.Helper()
	encryption := &backendtls.Reconciler{
		Client: mgr.GetClient(), ConfigMaps: mgr.GetAPIReader(), Leading: leader.Leading, Sink: noSink{}, Mesh: "osm", Namespace: "osm-system",
		Now: time.Now, Rejected: rejections.Of, RejectedPolicies: rejections.Watch,
	}
	if err := encryption.Setup(mgr, definitions); err != nil {
		t.Fatal(err)
	}
}

const outsideAPI = `
apiVersion: policy.openservicemesh.io/v1alpha1
kind: Egress
metadata: {name: api, namespace: shop}
spec:
  sources: [{kind: ServiceAccount, name: web, namespace: shop}]
  hosts: [api.example.com]
  ports: [{number: 80, protocol: http}]`

// encryptionOf is a BackendTLSPolicy with another field of its validation.
func encryptionOf(name, validation string) string {
	return fmt.Sprintf(`
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: %s, namespace: shop}
spec:
  targetRefs: [{group: policy.openservicemesh.io, kind: Egress, name: api}]
  validation: {hostname: api.example.com, %s}`, name, validation)
}

// TestStatusOfBackendTLSPolicies uses the definition of the standard channel, which is created after the control plane has started.
func TestStatusOfBackendTLSPolicies(t *testing.T) {
	const authorities = "caCertificateRefs: [{group: \"\", kind: ConfigMap, name: ca}]"
	w := start(t)
	w.create(t, mesh)
	w.create(t, outsideAPI)
	envtest.Install(t, w.config, gatewayDefinition(t, "backendtlspolicies"))
	w.create(t, encryptionOf("p", authorities))
	w.waitForAncestor(t, "p", "NoValidCACertificate InvalidCACertificateRef", "The ConfigMap shop/ca does not exist.")

	ca := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "ca"}, Data: map[string]string{"ca.crt": string(pki.New(t).RootPEM)}}
	if err := w.Create(t.Context(), ca); err != nil {
		t.Fatal(err)
	}
	w.waitForAncestor(t, "p", "Accepted ResolvedRefs", "Sidecars encrypt requests to the http ports of the Egress api.")

	w.reject(report.Rejection{Kind: "BackendTLSPolicy", Namespace: "shop", Name: "p", ServiceAccount: "shop/web", Pod: "shop/web-1", Type: "SDS", Resource: "r", Text: "bad authority"})
	w.waitForAncestor(t, "p", "RejectedByProxy ResolvedRefs", "bad authority. Requests to the http ports of the Egress get 503.")
	w.reject()
	w.waitForAncestor(t, "p", "Accepted ResolvedRefs", "")

	w.create(t, encryptionOf("z", authorities)) // it is not older
	w.waitForAncestor(t, "z", "Conflicted ResolvedRefs", "The older BackendTLSPolicy p applies to the Egress api")
	w.deletePolicy(t, "p")
	w.waitForAncestor(t, "z", "Accepted ResolvedRefs", "")
	w.deletePolicy(t, "z")
	w.create(t, encryptionOf("p", "wellKnownCACertificates: System"))
	w.waitForAncestor(t, "p", "Invalid ResolvedRefs", "spec.validation.wellKnownCACertificates is not supported")
}

func (w statusTest) deletePolicy(t *testing.T, name string) {
	t.Helper()
	object := kinds.Object(kinds.BackendTLSPolicy)
	object.SetNamespace("shop")
	object.SetName(name)
	if err := w.Delete(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// TestDefinitionRejectsBackendTLSPolicies checks which mistakes the API server rejects, so that the control plane need not explain them.
func TestDefinitionRejectsBackendTLSPolicies(t *testing.T) {
	w := start(t)
	w.create(t, mesh)
	envtest.Install(t, w.config, gatewayDefinition(t, "backendtlspolicies"))
	for name, validation := range map[string]string{
		"none": "", "both": "wellKnownCACertificates: System, caCertificateRefs: [{group: \"\", kind: ConfigMap, name: ca}]",
		"names": "wellKnownCACertificates: System, subjectAltNames: [{type: URI, hostname: api.example.com}]",
	} {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(encryptionOf(name, validation)), &object.Object); err != nil {
			t.Fatal(err)
		}
		if err := w.Create(t.Context(), object); !apierrors.IsInvalid(err) {
			t.Errorf("%s: %v, want it rejected", name, err)
		}
	}
}

// waitForAncestor waits until a policy has one entry with these reasons for its generation, and a part of the message of the first one.
func (w statusTest) waitForAncestor(t *testing.T, name, reasons, part string) {
	t.Helper()
	var last []gatewayv1.PolicyAncestorStatus
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		object, policy := kinds.Object(kinds.BackendTLSPolicy), &gatewayv1.BackendTLSPolicy{}
		if err := w.Get(ctx, client.ObjectKey{Namespace: "shop", Name: name}, object); err != nil {
			return false, err
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, policy); err != nil {
			return false, err
		}
		last = policy.Status.Ancestors
		if len(last) != 1 || last[0].ControllerName != "gateway.openservicemesh.io/osm" || last[0].AncestorRef.Name != "api" || len(last[0].Conditions) != 2 {
			return false, nil
		}
		found := last[0].Conditions[0].Reason + " " + last[0].Conditions[1].Reason
		return found == reasons && strings.Contains(last[0].Conditions[0].Message, part) && last[0].Conditions[0].ObservedGeneration == policy.Generation, nil
	})
	if err != nil {
		t.Fatalf("the entries of %s are %+v, want %s with %q: %v", name, last, reasons, part, err)
	}
}
