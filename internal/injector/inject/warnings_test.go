package inject

import (
	"strings"
	"testing"
)

func TestThreat25And29Warnings(t *testing.T) {
	restricted := testNamespace()
	restricted.Labels["pod-security.kubernetes.io/enforce"] = "restricted"
	for name, test := range map[string]struct {
		ns   Namespace
		pod  string
		want string
	}{
		"nothing":    {testNamespace(), `{spec: {containers: [{name: app}]}}`, ""},
		"restricted": {restricted, `{spec: {containers: [{name: app}]}}`, "forbids the capability NET_ADMIN"},
		"exclusion": {
			testNamespace(), `{metadata: {annotations: {openservicemesh.io/inbound-port-exclusion-list: "22"}}, spec: {containers: [{name: app}]}}`,
			"inbound-port-exclusion-list=22 makes traffic bypass the mesh",
		},
		"capability": {testNamespace(), `{spec: {containers: [{name: app, securityContext: {capabilities: {add: [NET_ADMIN]}}}]}}`, "container app can change the pod's network"},
		"several exclusions": {
			testNamespace(), `{metadata: {annotations: {openservicemesh.io/outbound-ip-range-inclusion-list: "10.0.0.0/8", openservicemesh.io/outbound-port-exclusion-list: "25"}}, spec: {containers: [{name: app}]}}`,
			"outbound-port-exclusion-list=25 makes traffic bypass the mesh, without its policies and encryption\nthe annotation openservicemesh.io/outbound-ip-range-inclusion-list",
		},
		"node's DNS":       {testNamespace(), `{spec: {dnsPolicy: Default, containers: [{name: app}]}}`, "has the dnsPolicy Default"},
		"own DNS":          {testNamespace(), `{spec: {dnsPolicy: None, containers: [{name: app}]}}`, "has the dnsPolicy None"},
		"cluster's DNS":    {testNamespace(), `{spec: {dnsPolicy: ClusterFirst, containers: [{name: app}]}}`, ""},
		"shared processes": {testNamespace(), `{spec: {shareProcessNamespace: true, containers: [{name: app}]}}`, "has shareProcessNamespace"},
		"not shared":       {testNamespace(), `{spec: {shareProcessNamespace: false, containers: [{name: app}]}}`, ""},
		"privileged":       {testNamespace(), `{spec: {containers: [{name: app, securityContext: {privileged: true}}]}}`, "container app can change the pod's network"},
		"copied":           {testNamespace(), `{spec: {initContainers: [{name: osm-init, securityContext: {capabilities: {add: [NET_ADMIN]}}}], containers: [{name: app}]}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(Warnings(parsePod(t, test.pod), test.ns, testConfig()), "\n")
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("warnings are %q, want %q", got, test.want)
			}
		})
	}
}
