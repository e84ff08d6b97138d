package gateway

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// perGateway makes the class one whose Gateways have pods of their own, and adds a Gateway with the port and host of the first one.
func (f *fixture) perGateway(t *testing.T) {
	t.Helper()
	class := kinds.Object(kinds.GatewayClass)
	class.SetName("osm")
	patch := fmt.Sprintf(`{"metadata": {"annotations": {%q: %q}}}`, names.GatewayDeploymentAnnotation, names.GatewayDeploymentPerGateway)
	if err := f.Client.Patch(t.Context(), class, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		t.Fatal(err)
	}
	if err := f.Client.Create(t.Context(), unread(t, `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: other, namespace: shop}
spec:
  gatewayClassName: osm
  infrastructure: {labels: {team: shop}}
  listeners: [{name: http, port: 80, protocol: HTTP}]
`)); err != nil {
		t.Fatal(err)
	}
}

// service creates the Service of a Gateway, and a slice with one endpoint.
func (f *fixture) service(t *testing.T, gateway, address string, ready bool) {
	t.Helper()
	name := names.DedicatedGateway("shop", gateway)
	for _, object := range []client.Object{
		&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: name},
			Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIPs: []string{address}, Ports: []corev1.ServicePort{{Port: 80}}},
		},
		&discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name}},
			Endpoints:  []discoveryv1.Endpoint{{Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
		},
	} {
		if err := f.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

// statusOf returns the addresses of a Gateway, and its conditions that are not True, with those of its first listener.
func (f *fixture) statusOf(t *testing.T, name string) (addresses, problems string) {
	t.Helper()
	var object gatewayv1.Gateway
	f.get(t, kinds.Gateway, name, &object)
	for _, a := range object.Status.Addresses {
		addresses += a.Value
	}
	all := object.Status.Conditions
	if len(object.Status.Listeners) > 0 {
		all = append(all, object.Status.Listeners[0].Conditions...)
	}
	var list []string
	for _, c := range all {
		if c.Status != metav1.ConditionTrue && c.Type != string(gatewayv1.ListenerConditionConflicted) {
			list = append(list, c.Type+" "+c.Reason)
		}
	}
	return addresses, strings.Join(list, ", ")
}

// TestGatewaysHaveStatusOfTheirOwnPods checks that address and readiness of a Gateway are those of its own Service, while both have one port and host.
func TestGatewaysHaveStatusOfTheirOwnPods(t *testing.T) {
	f := newFixture(t, secret(t))
	f.perGateway(t)
	f.reconcile(t)
	for _, name := range []string{"web", "other"} {
		if addresses, problems := f.statusOf(t, name); addresses != "" || problems != "Programmed AddressNotAssigned, Programmed Pending" {
			t.Errorf("without a Service, %s has the address %q and %s", name, addresses, problems)
		}
	}
	f.service(t, "web", "10.96.0.1", true)
	f.service(t, "other", "10.96.0.2", false)
	f.reconcile(t)
	if addresses, problems := f.statusOf(t, "web"); addresses != "10.96.0.1" || problems != "" {
		t.Errorf("web has the address %q and %s", addresses, problems)
	}
	if addresses, problems := f.statusOf(t, "other"); addresses != "10.96.0.2" || problems != "Programmed Pending, Programmed Pending" {
		t.Errorf("other, without a ready pod, has the address %q and %s", addresses, problems)
	}
	var other gatewayv1.Gateway
	f.get(t, kinds.Gateway, "other", &other)
	for _, c := range other.Status.Conditions {
		if strings.Contains(c.Message, "no effect") {
			t.Errorf("%s: %s, want no word about labels, which the Service has", c.Type, c.Message)
		}
	}
}

// TestRejectedGatewaysSayWhy checks that the status of a Gateway has the answer of the API server about its objects, which the operator publishes, and that
// of others does not.
func TestRejectedGatewaysSayWhy(t *testing.T) {
	f := newFixture(t, secret(t))
	f.perGateway(t)
	f.service(t, "web", "10.96.0.1", true)
	f.service(t, "other", "10.96.0.2", true)
	class := kinds.Object(kinds.GatewayClass)
	class.SetName("osm")
	published := fmt.Sprintf(`{%q: "Service osm-system/a cannot be applied: Invalid value", "osm-gateway-absent": "x"}`, names.DedicatedGateway("shop", "other"))
	patch := fmt.Sprintf(`{"metadata": {"annotations": {%q: %q}}}`, names.RejectedGatewaysAnnotation, published)
	if err := f.Client.Patch(t.Context(), class, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		t.Fatal(err)
	}
	f.reconcile(t)
	if _, problems := f.statusOf(t, "web"); problems != "" {
		t.Errorf("web has %s, want nothing about another Gateway", problems)
	}
	if _, problems := f.statusOf(t, "other"); problems != "Programmed ObjectRejected" {
		t.Errorf("other has %s", problems)
	}
	var other gatewayv1.Gateway
	f.get(t, kinds.Gateway, "other", &other)
	programmed := meta.FindStatusCondition(other.Status.Conditions, string(gatewayv1.GatewayConditionProgrammed))
	if programmed == nil || !strings.Contains(programmed.Message, "Service osm-system/a cannot be applied: Invalid value") {
		t.Errorf("Programmed is %+v, want the answer of the API server", programmed)
	}
}
