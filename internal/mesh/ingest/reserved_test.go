package ingest

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// TestReservedPorts checks that no Service can publish a port of the sidecar, such as its admin interface.
func TestReservedPorts(t *testing.T) {
	service, problems := Service(read[corev1.Service](t, `
spec:
  clusterIP: 10.0.0.1
  ports: [{port: 80, targetPort: 15000, name: a}, {port: 81, targetPort: 15940, name: b}, {port: 15003, name: c}, {port: 15000, targetPort: 8080, name: d}, {port: 82, targetPort: 15941, name: e}]
`))
	if len(service.Ports) != 2 || service.Ports[0].Number != 82 || service.Ports[1].Number != 15000 || len(problems) != 3 {
		t.Errorf("the ports are %+v, with the problems %+v", service.Ports, problems)
	}
	labelled := read[discoveryv1.EndpointSlice](t, "addressType: IPv4\nendpoints: []\nports: [{name: a, port: 15000}, {name: b, port: 80}]")
	labelled.Labels = map[string]string{discoveryv1.LabelServiceName: "web"}
	slice, problems := EndpointSlice(labelled)
	if len(slice.Ports) != 1 || slice.Ports["b"] != 80 || len(problems) != 1 {
		t.Errorf("the ports are %v, with the problems %+v", slice.Ports, problems)
	}
	pod := Pod(read[corev1.Pod](t, "spec: {containers: [{name: app, ports: [{name: admin, containerPort: 15000}, {name: web, containerPort: 80}]}]}"))
	if len(pod.Ports) != 1 || pod.Ports["web"] != 80 {
		t.Errorf("the named ports are %v", pod.Ports)
	}
}
