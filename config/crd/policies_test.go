package crd_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// namespaces returns a namespace of a mesh, one outside the mesh, and an ignored one.
func namespaces() []*unstructured.Unstructured {
	namespace := func(name string, labels map[string]string) *unstructured.Unstructured {
		object := &unstructured.Unstructured{}
		object.SetAPIVersion("v1")
		object.SetKind("Namespace")
		object.SetName(name)
		object.SetLabels(labels)
		return object
	}
	return []*unstructured.Unstructured{
		namespace("in-mesh", map[string]string{"openservicemesh.io/monitored-by": "osm"}),
		namespace("no-mesh", nil),
		namespace("ignored", map[string]string{"openservicemesh.io/monitored-by": "osm", "openservicemesh.io/ignore": "true"}),
	}
}

// destination returns the spec of a TrafficTarget with a destination in the namespace.
func destination(namespace string) string {
	return "{destination: {kind: ServiceAccount, name: a, namespace: " + namespace + "}}"
}

// retryOf returns a Retry in a namespace for a client of a namespace.
func retryOf(namespace, client string) string {
	return "{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Retry, metadata: {name: x, namespace: " + namespace +
		"}, spec: {source: {kind: ServiceAccount, name: a, namespace: " + client +
		"}, destinations: [], retryPolicy: {retryOn: 5xx, perTryTimeout: 1s, numRetries: 1, retryBackoffBaseInterval: 25ms}}}"
}

func testPolicies(t *testing.T, c client.Client) {
	// This object is stored before the policy is enforced.
	old := parse(t, trafficTarget("in-mesh", destination("elsewhere")))
	old.SetName("old")
	old.SetFinalizers([]string{"example.com/cleanup"})
	create(t, c, old)

	installPolicies(t, c, parse(t, trafficTarget("in-mesh", destination("elsewhere"))), parse(t, retryOf("in-mesh", "elsewhere")))
	const sentence = `, but this TrafficTarget is in the namespace "in-mesh": only the namespace of the destination may allow calls to it`
	checkCreations(t, c, []creation{
		{"same namespace", trafficTarget("in-mesh", destination("in-mesh")), ""},
		{"other namespace", trafficTarget("in-mesh", destination("elsewhere")), `spec.destination.namespace is "elsewhere"` + sentence},
		{"no namespace", trafficTarget("in-mesh", "{destination: {kind: ServiceAccount, name: a}}"), `spec.destination.namespace is ""` + sentence},
		{"outside a mesh", trafficTarget("no-mesh", destination("elsewhere")), ""},
		{"in an ignored namespace", trafficTarget("ignored", destination("elsewhere")), ""},
	})
	const onlySource = `, but this Retry is in the namespace "in-mesh": only the namespace of the source decides how its clients retry`
	checkCreations(t, c, []creation{
		{"Test retry of its own clients", retryOf("in-mesh", "in-mesh"), ""},
		{"Test retry of other clients", retryOf("in-mesh", "elsewhere"), `spec.source.namespace is "elsewhere"` + onlySource},
		{"Test retry outside a mesh", retryOf("no-mesh", "elsewhere"), ""},
	})
	permissive := func(word string) string {
		return "{apiVersion: v1, kind: Namespace, metadata: {name: x, annotations: {openservicemesh.io/permissive-traffic-policy: " + word + "}}}"
	}
	outgoing := func(word string) string {
		return "{apiVersion: v1, kind: Namespace, metadata: {name: x, annotations: {openservicemesh.io/egress-gateway: " + word + "}}}"
	}
	injection := func(word string) string {
		return "{apiVersion: v1, kind: Namespace, metadata: {name: x, annotations: {openservicemesh.io/sidecar-injection: " + word + "}}}"
	}
	checkCreations(t, c, []creation{
		{"namespace with injection", injection("Enabled"), ""},
		{"namespace with a misspelt injection", injection("enable"), `the annotation openservicemesh.io/sidecar-injection is "enable", which says nothing: write enabled or disabled`},
		{"permissive namespace", permissive("enabled"), ""},
		{"namespace that denies", permissive(`"No"`), ""},
		{"namespace that says nothing", permissive("sometimes"), `the annotation openservicemesh.io/permissive-traffic-policy is "sometimes", which says nothing: write enabled or disabled`},
		{"namespace that requires the egress gateway", outgoing("Enabled"), ""},
		{"namespace that requires it sometimes", outgoing("sometimes"), `the annotation openservicemesh.io/egress-gateway is "sometimes", which says nothing: write enabled or disabled`},
		{"namespace with another annotation", "{apiVersion: v1, kind: Namespace, metadata: {name: x, annotations: {a: b}}}", ""},
	})
	checkChanges(t, c, []change{
		{"the destination moves", trafficTarget("in-mesh", destination("in-mesh")), map[string]any{"spec.destination.namespace": "elsewhere"}, `spec.destination.namespace is "elsewhere"` + sentence},
		{"another account", trafficTarget("in-mesh", destination("in-mesh")), map[string]any{"spec.destination.name": "b"}, ""},
	})
	t.Run("an existing object can be labeled and deleted", func(t *testing.T) {
		old.SetLabels(map[string]string{"team": "shop"})
		if err := c.Update(t.Context(), old); err != nil {
			t.Errorf("it cannot be labeled: %v", err)
		}
		if err := c.Delete(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(old), old); err != nil {
			t.Fatal(err)
		}
		old.SetFinalizers(nil)
		if err := c.Update(t.Context(), old); err != nil {
			t.Errorf("its finalizer cannot be removed: %v", err)
		}
	})
}
