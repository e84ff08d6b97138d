package crd_test

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// testSpecBecomesEmpty removes the last field of a spec by server-side apply, as Flux does. Without a default, the spec would become null,
// which the definition rejects.
func testSpecBecomesEmpty(t *testing.T, c client.Client) {
	for _, spec := range []string{"{}", "{version: v9.9.9}", "{}"} {
		object := parse(t, mesh("applied", spec))
		if err := c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("applier"), client.ForceOwnership); err != nil {
			t.Errorf("the spec %s is rejected: %v", spec, err)
		}
	}
	if err := c.Delete(t.Context(), parse(t, mesh("applied", "{}"))); err != nil {
		t.Error(err)
	}
}
