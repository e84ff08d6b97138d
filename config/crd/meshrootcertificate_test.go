package crd_test

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// rootCertificate returns a MeshRootCertificate in YAML.
func rootCertificate(spec string) string {
	return "{apiVersion: config.openservicemesh.io/v1alpha2, kind: MeshRootCertificate, metadata: {name: root, namespace: default}, spec: " + spec + "}"
}

func testMeshRootCertificate(t *testing.T, c client.Client) {
	const tresor = "tresor: {ca: {secretRef: {name: osm-ca-bundle, namespace: osm-system}}}"
	checkCreations(t, c, []creation{
		{"as OSM creates it", rootCertificate("{trustDomain: cluster.local, provider: {" + tresor + "}}"), ""},
		{"with a role", rootCertificate("{role: passive, spiffeEnabled: true, provider: {certManager: {issuerName: a, issuerKind: ClusterIssuer, issuerGroup: cert-manager.io}}}"), ""},
		{
			"of a Vault",
			rootCertificate("{provider: {vault: {host: vault, port: 8200, protocol: https, role: osm, token: {secretKeyRef: {name: a, key: b, namespace: c}}}}}"), "",
		},
		{"with another role", rootCertificate("{role: main, provider: {" + tresor + "}}"), `Unsupported value: "main"`},
		{"without a provider", rootCertificate("{provider: {}}"), "spec.provider needs exactly one of tresor, certManager and vault"},
		{"with two providers", rootCertificate("{provider: {certManager: {issuerName: a}, " + tresor + "}}"), "exactly one of tresor"},
		{"of a Vault by ftp", rootCertificate("{provider: {vault: {host: a, protocol: ftp, token: {secretKeyRef: {name: a, key: b}}}}}"), `Unsupported value: "ftp"`},
	})
	checkChanges(t, c, []change{
		{"another role", rootCertificate("{provider: {" + tresor + "}}"), map[string]any{"spec.role": "passive"}, ""},
		{
			"another Secret", rootCertificate("{provider: {" + tresor + "}}"),
			map[string]any{"spec.provider.tresor.ca.secretRef.name": "b"},
			"spec.provider cannot change: create another MeshRootCertificate",
		},
		{
			"another trust domain", rootCertificate("{trustDomain: a.example, provider: {" + tresor + "}}"),
			map[string]any{"spec.trustDomain": "b.example"},
			"spec.trustDomain cannot change",
		},
	})
}
