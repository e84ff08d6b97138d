package inject

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func parsePod(t *testing.T, text string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict([]byte(text), pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

// TestMutate_RejectsInvalidPods covers pods that would bypass the mesh, fail in it, or have invalid annotations.
func TestMutate_RejectsInvalidPods(t *testing.T) {
	annotation := func(key, value string) string {
		return `{metadata: {annotations: {` + key + `: "` + value + `"}}, spec: {containers: [{name: app}]}}`
	}
	for name, test := range map[string]struct{ pod, want string }{
		"port of the sidecar":         {`{spec: {containers: [{name: app, ports: [{containerPort: 15003}]}]}}`, "has the port 15003, which the sidecar uses"},
		"port of a probe":             {`{spec: {containers: [{name: app, ports: [{containerPort: 15901}]}]}}`, "has the port 15901"},
		"port of an additional probe": {`{spec: {containers: [{name: app, ports: [{containerPort: 15940}]}]}}`, "has the port 15940"},
		"nothing but a sidecar":       {`{spec: {containers: [{name: envoy, volumeMounts: [{name: envoy-bootstrap-config-volume}]}]}}`, "no container besides the sidecar"},
		"unknown port name":           {`{spec: {containers: [{name: app, livenessProbe: {httpGet: {port: web}}}]}}`, `the liveness probe of container app names the port "web"`},
		"port 0":                      {`{spec: {containers: [{name: app, readinessProbe: {tcpSocket: {port: 0}}}]}}`, "the readiness probe of container app has the port 0"},
		"probe of an earlier sidecar": {
			`{spec: {containers: [{name: app, livenessProbe: {httpGet: {port: 15901, path: /osm-liveness-probe}}}]}}`,
			"points at port 15901 of an earlier sidecar",
		},
		"unknown port name of a hook": {
			`{spec: {containers: [{name: app, lifecycle: {preStop: {httpGet: {port: web}}}}]}}`, `the preStop hook of container app names the port "web"`,
		},
		"hook of an earlier sidecar": {
			`{spec: {containers: [{name: app, lifecycle: {postStart: {httpGet: {port: 15906}}}}]}}`,
			"the postStart hook of container app points at port 15906 of an earlier sidecar",
		},
		"port list": {annotation(names.OutboundPortExclusionAnnotation, "80,http"), `has "http", which is not a port`},
		"port list with a large number": {
			annotation(names.InboundPortExclusionAnnotation, "65536"),
			`the annotation openservicemesh.io/inbound-port-exclusion-list of the pod has "65536"`,
		},
		"port list with a gap": {annotation(names.InboundPortExclusionAnnotation, "80,,81"), `has "", which is not a port`},
		"range without length": {annotation(names.OutboundIPRangeExclusionAnnotation, "10.0.0.1"), `has "10.0.0.1", which is not an IP range`},
		"invalid range":        {annotation(names.OutboundIPRangeInclusionAnnotation, "10.0.0.0/33"), `has "10.0.0.0/33", which is not an IP range`},
	} {
		t.Run(name, func(t *testing.T) { expectMutateError(t, test.pod, test.want) })
	}
}

// expectMutateError fails the test unless Mutate returns an error with the given text.
func expectMutateError(t *testing.T, pod, want string) {
	t.Helper()
	_, err := Mutate(parsePod(t, pod), testNamespace(), testConfig(), testUUID)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want one with %q", err, want)
	}
}

// TestThreat24UserOfTheSidecar covers applications that run as the user whose connections are not redirected.
func TestThreat24UserOfTheSidecar(t *testing.T) {
	for name, test := range map[string]struct{ pod, want string }{
		"user of the container":     {`{spec: {containers: [{name: app, securityContext: {runAsUser: 1500}}]}}`, "container app runs as user 1500"},
		"user of the pod":           {`{spec: {securityContext: {runAsUser: 1500}, containers: [{name: app}]}}`, "container app runs as user 1500"},
		"user of an init container": {`{spec: {initContainers: [{name: setup, securityContext: {runAsUser: 1500}}], containers: [{name: app}]}}`, "container setup runs as user 1500"},
		"user of one of two":        {`{spec: {securityContext: {runAsUser: 1500}, containers: [{name: app, securityContext: {runAsUser: 7}}, {name: two}]}}`, "container two runs as user 1500"},
	} {
		t.Run(name, func(t *testing.T) { expectMutateError(t, test.pod, test.want) })
	}
}

// TestMutate_AllowsSimilarPods covers pods that resemble rejected ones.
func TestMutate_AllowsSimilarPods(t *testing.T) {
	for name, pod := range map[string]string{
		"another user in the container": `{spec: {securityContext: {runAsUser: 1500}, containers: [{name: app, securityContext: {runAsUser: 1000}}]}}`,
		"the sidecar's group":           `{spec: {containers: [{name: app, securityContext: {runAsGroup: 1500}}]}}`,
		"the sidecar's port over UDP":   `{spec: {containers: [{name: app, ports: [{containerPort: 15003, protocol: UDP}]}]}}`,
		"a port next to the sidecar's":  `{spec: {containers: [{name: app, ports: [{containerPort: 15011}, {containerPort: 15900}]}]}}`,
		"a name like the sidecar's":     `{spec: {containers: [{name: envoy-gateway}]}}`,
		"an empty list":                 `{metadata: {annotations: {openservicemesh.io/outbound-port-exclusion-list: " "}}, spec: {containers: [{name: app}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Mutate(parsePod(t, pod), testNamespace(), testConfig(), testUUID); err != nil {
				t.Errorf("rejected: %v", err)
			}
		})
	}
}
