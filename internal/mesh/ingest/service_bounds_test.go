package ingest

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
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

// TestEgressGatewayNamespaces checks that only the Service of the egress gateway says into which namespaces the gateway forwards.
func TestEgressGatewayNamespaces(t *testing.T) {
	for _, test := range []struct {
		name, annotation string
		want             []string
	}{
		{names.EgressGateway, "shop,infra", []string{"shop", "infra"}},
		{names.EgressGateway, "", nil},
		{"other", "shop,infra", nil},
	} {
		service := &corev1.Service{}
		service.Name, service.Annotations = test.name, map[string]string{names.AllowedNamespacesAnnotation: test.annotation}
		entry, problems := Service(service)
		expect(t, test.want, entry.AllowedNamespaces, nil, problems)
	}
}

// TestNamesOfHTTPOnOtherPorts checks that the name of a port without appProtocol confirms HTTP where its number is usual for another protocol.
func TestNamesOfHTTPOnOtherPorts(t *testing.T) {
	for name, want := range map[string][]string{
		"http": nil, "h2c": nil, "h2c-web": nil, "web": {"?UnknownProtocol: set appProtocol: https"}, "tcp": nil,
	} {
		_, problems := Service(&corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: name, Port: 443}}}})
		expect(t, 0, 0, want, problems)
	}
}
