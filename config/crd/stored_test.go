package crd_test

import (
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

// oldTrafficSplit is the definition of Open Service Mesh 1.2. It stores v1alpha2 and validates only types.
const oldTrafficSplit = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: trafficsplits.split.smi-spec.io
  labels: {app.kubernetes.io/name: openservicemesh.io}
spec:
  group: split.smi-spec.io
  scope: Namespaced
  names: {kind: TrafficSplit, listKind: TrafficSplitList, plural: trafficsplits, singular: trafficsplit, shortNames: [ts]}
  versions:
  - name: v1alpha2
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              service: {type: string}
              backends:
                type: array
                items:
                  type: object
                  properties:
                    service: {type: string}
                    weight: {type: number}
`

// storeOldTrafficSplits stores a valid object, and one that the current definition rejects, under the old definition.
func storeOldTrafficSplits(t *testing.T, server *rest.Config, c client.Client) []*unstructured.Unstructured {
	t.Helper()
	old := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict([]byte(oldTrafficSplit), old); err != nil {
		t.Fatal(err)
	}
	envtest.Install(t, server, old)
	const head = "apiVersion: split.smi-spec.io/v1alpha2\nkind: TrafficSplit\n"
	objects := []*unstructured.Unstructured{
		parse(t, head+"metadata: {name: good, namespace: default}\nspec: {service: root, backends: [{service: a, weight: 30}, {service: b, weight: 70}]}"),
		parse(t, head+"metadata: {name: zero, namespace: default}\nspec: {service: root, backends: [{service: a, weight: 0}]}"),
	}
	for _, object := range objects {
		create(t, c, object)
	}
	return objects
}

// testStoredTrafficSplits checks that existing objects survive the change of definitions. Both versions serve them, and an invalid one
// can still be labeled and get a status.
func testStoredTrafficSplits(t *testing.T, c client.Client, stored []*unstructured.Unstructured) {
	for _, before := range stored {
		t.Run(before.GetName(), func(t *testing.T) {
			now := &unstructured.Unstructured{}
			now.SetGroupVersionKind(schema.GroupVersionKind{Group: "split.smi-spec.io", Version: "v1alpha4", Kind: "TrafficSplit"})
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(before), now); err != nil {
				t.Fatal(err)
			}
			want, _, _ := unstructured.NestedString(before.Object, "spec", "service")
			if got, _, _ := unstructured.NestedString(now.Object, "spec", "service"); got != want {
				t.Errorf("spec.service is %q in v1alpha4, it was %q", got, want)
			}
			now.SetLabels(map[string]string{"team": "shop"})
			if err := c.Update(t.Context(), now); err != nil {
				t.Errorf("it cannot be labeled: %v", err)
			}
			set(t, now, "status.conditions", []any{map[string]any{
				"type": "Accepted", "status": "True", "reason": "Accepted", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
			}})
			if err := c.Status().Update(t.Context(), now); err != nil {
				t.Errorf("it cannot get a status: %v", err)
			}
		})
	}
}
