package crd_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const withoutNamespaces = "name the namespaces that may have Gateways in spec.ingressGateway.allowedNamespaces"

// openGateways is a Mesh in which each namespace may have Gateways with pods of their own, in YAML.
func openGateways(name string) string {
	return "{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: " + name + "}, spec: {namespace: " + name + "-system, ingressGateway: {mode: Managed, deployment: PerGateway}}}"
}

// storeOpenGateways stores such a Mesh before the policies are installed.
func storeOpenGateways(t *testing.T, c client.Client) *unstructured.Unstructured {
	t.Helper()
	mesh := parse(t, openGateways("open-gateways"))
	create(t, c, mesh)
	return mesh
}

// testGatewaysOfEachNamespaceAreNamed checks that a Mesh names the namespaces whose Gateways have pods of their own, and that one that exists without them
// can still be changed.
func testGatewaysOfEachNamespaceAreNamed(t *testing.T, c client.Client, stored *unstructured.Unstructured) {
	awaitCreation(t, c, openGateways("open-new"), withoutNamespaces)
	patch := func(text string) error {
		return c.Patch(t.Context(), stored, client.RawPatch("application/merge-patch+json", []byte(text)))
	}
	for _, step := range []struct{ name, patch, rejected string }{
		{"an unrelated change", `{"metadata": {"labels": {"a": "b"}}}`, ""},
		{"a change of the gateway", `{"spec": {"ingressGateway": {"replicas": 3}}}`, ""},
		{"namespaces", `{"spec": {"ingressGateway": {"allowedNamespaces": ["shop"]}}}`, ""},
		{"no namespaces any more", `{"spec": {"ingressGateway": {"allowedNamespaces": null}}}`, withoutNamespaces},
		{"shared pods", `{"spec": {"ingressGateway": {"deployment": "Shared", "allowedNamespaces": null}}}`, ""},
		{"a deployment for each Gateway again", `{"spec": {"ingressGateway": {"deployment": "PerGateway"}}}`, withoutNamespaces},
	} {
		err := patch(step.patch)
		if (err == nil) != (step.rejected == "") || err != nil && !strings.Contains(err.Error(), step.rejected) {
			t.Errorf("%s: %v, want %q", step.name, err, step.rejected)
		}
	}
	if err := c.Delete(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
}
