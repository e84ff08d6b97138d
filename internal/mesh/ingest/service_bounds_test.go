package ingest

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestServicePortsAreBounded checks that a Service has at most maxServicePorts ports in the mesh: the first by number.
func TestServicePortsAreBounded(t *testing.T) {
	service := &corev1.Service{}
	for i := range int32(maxServicePorts) {
		service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{Name: "http", Port: 2000 - i})
	}
	if entry, problems := Service(service); len(entry.Ports) != maxServicePorts || len(problems) > 0 {
		t.Fatalf("%d ports with the problems %v, want %d", len(entry.Ports), problems, maxServicePorts)
	}
	service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{Port: 80})
	entry, problems := Service(service)
	if len(entry.Ports) != maxServicePorts || entry.Ports[0].Number != 80 || len(problems) != 1 || problems[0].Warning {
		t.Errorf("%d ports from %d, with the problems %v", len(entry.Ports), entry.Ports[0].Number, problems)
	}
}
