package crd_test

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

// testMCS creates objects of the Multi-Cluster Services API as users write them, in both versions.
func testMCS(t *testing.T, c client.Client) {
	object := func(version, kind, spec string) string {
		return "{apiVersion: multicluster.x-k8s.io/" + version + ", kind: " + kind + ", metadata: {name: x, namespace: in-mesh, labels: {openservicemesh.io/peer: east}}" + spec + "}"
	}
	for _, version := range []string{"v1alpha1", "v1beta1"} {
		checkCreations(t, c, []creation{
			{"export", object(version, "ServiceExport", ""), ""},
			{"export of other implementations", object(version, "ServiceExport", ", spec: {exportedLabels: {a: b}, exportedAnnotations: {a: b}}"), ""},
			{"import", object(version, "ServiceImport", ", spec: {type: ClusterSetIP, ports: []}"), ""},
			{
				"import of other implementations",
				object(version, "ServiceImport", ", spec: {type: Headless, ports: [{name: web, protocol: TCP, appProtocol: http, port: 80}], ips: [192.0.2.1], ipFamilies: [IPv4], sessionAffinity: ClientIP, "+
					"sessionAffinityConfig: {clientIP: {timeoutSeconds: 10}}, internalTrafficPolicy: Local, trafficDistribution: PreferClose}"), "",
			},
			{"import without a type", object(version, "ServiceImport", ", spec: {ports: []}"), "spec.type: Required value"},
			{"import of another type", object(version, "ServiceImport", ", spec: {type: NodePort, ports: []}"), `Unsupported value: "NodePort"`},
		})
	}
}

// Control planes read the first version. Definitions of earlier releases of the API serve it too.
func TestMCSDefinitionsListTheVersionThatIsRead(t *testing.T) {
	for _, definition := range envtest.Definitions(t, crd.MCS) {
		if first := definition.Spec.Versions[0].Name; first != "v1alpha1" {
			t.Errorf("%s lists %s first", definition.Name, first)
		}
		if labels := definition.Labels; len(labels) > 0 {
			t.Errorf("%s has the labels %v, by which an operator would take it for a definition of Open Service Mesh", definition.Name, labels)
		}
	}
}
