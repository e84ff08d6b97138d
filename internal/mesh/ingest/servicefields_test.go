package ingest

import (
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// TestIgnoredFieldsOfServicesCauseWarnings sets each field that selects pods in another way than sidecars do, and the values that change nothing.
func TestIgnoredFieldsOfServicesCauseWarnings(t *testing.T) {
	for text, want := range map[string]string{
		`{spec: {sessionAffinity: ClientIP}}`:                                                  "spec.sessionAffinity is ClientIP",
		`{spec: {internalTrafficPolicy: Local}}`:                                               "spec.internalTrafficPolicy is Local",
		`{spec: {trafficDistribution: PreferClose}}`:                                           `spec.trafficDistribution is "PreferClose"`,
		`{spec: {trafficDistribution: PreferSameNode}}`:                                        `spec.trafficDistribution is "PreferSameNode"`,
		`{metadata: {annotations: {service.kubernetes.io/topology-mode: Auto}}}`:               "service.kubernetes.io/topology-mode",
		`{metadata: {annotations: {service.kubernetes.io/topology-aware-hints: auto}}}`:        "service.kubernetes.io/topology-aware-hints",
		`{spec: {sessionAffinity: None, internalTrafficPolicy: Cluster}}`:                      "",
		`{metadata: {annotations: {service.kubernetes.io/topology-mode: Disabled}}, spec: {}}`: "",
	} {
		service := &corev1.Service{}
		if err := yaml.UnmarshalStrict([]byte(text), service); err != nil {
			t.Fatal(err)
		}
		_, problems := Service(service)
		switch {
		case want == "" && len(problems) != 0:
			t.Errorf("%s: problems are %+v, want none", text, problems)
		case want != "" && (len(problems) != 1 || !problems[0].Warning || !strings.Contains(problems[0].Message, want)):
			t.Errorf("%s: problems are %+v, want a warning with %q", text, problems, want)
		}
	}
}

// TestEachFieldOfServicesIsKnown fails for a field of a new version of Kubernetes, until somebody decides what sidecars do with it.
func TestEachFieldOfServicesIsKnown(t *testing.T) {
	known := map[string]string{
		"Ports": "read", "Selector": "read", "ClusterIP": "read", "ClusterIPs": "read", "Type": "read",
		"SessionAffinity": "reported", "SessionAffinityConfig": "reported with SessionAffinity", "InternalTrafficPolicy": "reported", "TrafficDistribution": "reported",
		"IPFamilies": "decided by the addresses", "IPFamilyPolicy": "decided by the addresses", "PublishNotReadyAddresses": "decided by the EndpointSlices",
		"ExternalName":          "an alias has no endpoints",
		"ExternalIPs":           "for clients outside the mesh",
		"LoadBalancerIP":        "for clients outside the mesh",
		"LoadBalancerClass":     "for clients outside the mesh",
		"ExternalTrafficPolicy": "for clients outside the mesh", "HealthCheckNodePort": "for clients outside the mesh",
		"LoadBalancerSourceRanges": "for clients outside the mesh", "AllocateLoadBalancerNodePorts": "for clients outside the mesh",
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[corev1.ServiceSpec]()) {
		if known[field.Name] == "" {
			t.Errorf("spec.%s of a Service is not known: read it, report it, or say here why sidecars need not follow it", field.Name)
		}
	}
}

// TestAssumedProtocols checks which ports declare their protocol.
func TestAssumedProtocols(t *testing.T) {
	http := "http"
	for _, c := range []struct {
		name        string
		appProtocol *string
		want        bool
	}{{"", nil, true}, {"web", nil, true}, {"http", nil, false}, {"http-web", nil, false}, {"mysql", nil, false}, {"web", &http, false}} {
		entry, _ := Service(&corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: "10.1.0.1", Ports: []corev1.ServicePort{{Name: c.name, Port: 80, AppProtocol: c.appProtocol}}}})
		if entry.Ports[0].Assumed != c.want {
			t.Errorf("name %q: assumed is %t, want %t", c.name, entry.Ports[0].Assumed, c.want)
		}
	}
}
