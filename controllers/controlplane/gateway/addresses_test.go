package gateway

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// TestAddressesAreThoseOfClients checks that an address in the cluster is not published for a Service that waits for its load balancer, or is
// reached by the ports of nodes.
func TestAddressesAreThoseOfClients(t *testing.T) {
	balancer := corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}}}}
	for name, c := range map[string]struct {
		kind    corev1.ServiceType
		status  corev1.ServiceStatus
		address string
		reason  gatewayv1.GatewayConditionReason
	}{
		"no load balancer yet": {corev1.ServiceTypeLoadBalancer, corev1.ServiceStatus{}, "", gatewayv1.GatewayReasonAddressNotAssigned},
		"a load balancer":      {corev1.ServiceTypeLoadBalancer, balancer, "192.0.2.1", gatewayv1.GatewayReasonProgrammed},
		"ports of nodes":       {corev1.ServiceTypeNodePort, corev1.ServiceStatus{}, "", gatewayv1.GatewayReasonProgrammed},
		"in the cluster":       {corev1.ServiceTypeClusterIP, corev1.ServiceStatus{}, "10.96.0.7", gatewayv1.GatewayReasonProgrammed},
	} {
		service := &corev1.Service{Spec: corev1.ServiceSpec{Type: c.kind, ClusterIPs: []string{"10.96.0.7"}}, Status: c.status}
		var got string
		for _, address := range addressesOf(service) {
			got += address.Value
		}
		programmed := gatewayProgrammed(pods{service: service, ready: true}, true)
		if got != c.address || programmed.Reason != string(c.reason) || (programmed.Status == metav1.ConditionTrue) != (c.reason == gatewayv1.GatewayReasonProgrammed) {
			t.Errorf("%s: the address is %q, and Programmed is %s %s; want %q, %s", name, got, programmed.Status, programmed.Reason, c.address, c.reason)
		}
	}
}
