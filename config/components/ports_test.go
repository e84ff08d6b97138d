package components

import (
	"slices"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// policyPorts returns the ports that the policy allows for anybody, sorted.
func policyPorts(policy *networkingv1.NetworkPolicy) []int32 {
	var ports []int32
	for _, rule := range policy.Spec.Ingress {
		for _, port := range rule.Ports {
			ports = append(ports, port.Port.IntVal)
		}
	}
	slices.Sort(ports)
	return ports
}

// remotePorts returns the ports that other pods connect to, sorted. The debug port listens on the loopback interface only.
func remotePorts(server *appsv1.Deployment) []int32 {
	var ports []int32
	for _, port := range server.Spec.Template.Spec.Containers[0].Ports {
		if port.ContainerPort != names.DebugPort {
			ports = append(ports, port.ContainerPort)
		}
	}
	slices.Sort(ports)
	return ports
}

func portNamed(t *testing.T, server *appsv1.Deployment, name string) int32 {
	t.Helper()
	for _, port := range server.Spec.Template.Spec.Containers[0].Ports {
		if port.Name == name {
			return port.ContainerPort
		}
	}
	t.Fatalf("%s has no port %s", server.Name, name)
	return 0
}

func checkSelects(t *testing.T, policy *networkingv1.NetworkPolicy, server *appsv1.Deployment) {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
	if err != nil {
		t.Fatal(err)
	}
	if !selector.Matches(labels.Set(server.Spec.Template.Labels)) {
		t.Errorf("the NetworkPolicy %s does not select the pods of %s", policy.Name, server.Name)
	}
}

// checkScrapes compares the monitor with the Service that it selects.
func checkScrapes(t *testing.T, monitor *monitoringv1.ServiceMonitor, all objects) {
	t.Helper()
	service := decode[corev1.Service](t, all, "Service", "osm-operator-metrics")
	selector, err := metav1.LabelSelectorAsSelector(&monitor.Spec.Selector)
	if err != nil {
		t.Fatal(err)
	}
	if !selector.Matches(labels.Set(service.Labels)) || service.Namespace != monitor.Namespace {
		t.Errorf("the ServiceMonitor does not select the Service %s/%s", service.Namespace, service.Name)
	}
	if port := monitor.Spec.Endpoints[0].Port; port != service.Spec.Ports[0].Name {
		t.Errorf("the ServiceMonitor scrapes the port %s, the Service has %s", port, service.Spec.Ports[0].Name)
	}
}
