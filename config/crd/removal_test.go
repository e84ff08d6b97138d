package crd_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// testRemovalOrder checks that objects which a Mesh needs cannot be deleted before the last Mesh. It requires the policies of
// testPolicies.
func testRemovalOrder(t *testing.T, c client.Client) {
	definition := func(name string) string {
		return "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: " + name + "}}"
	}
	const namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: osm-operator-system}}"
	const labelled = "{apiVersion: v1, kind: Namespace, metadata: {name: somewhere, labels: {app.kubernetes.io/name: openservicemesh.io, app.kubernetes.io/component: operator}}}"
	const other = "{apiVersion: v1, kind: Namespace, metadata: {name: osm-operator-system-of-mine}}"
	mesh := parse(t, "{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: in-the-way}}")
	needed := []string{
		namespace, labelled, definition("meshes.operator.openservicemesh.io"), definition("meshrevisions.operator.openservicemesh.io"),
		definition("meshconfigs.config.openservicemesh.io"), definition("meshrootcertificates.config.openservicemesh.io"),
	}
	free := []string{other, definition("retries.policy.openservicemesh.io")}
	for _, namespace := range []string{namespace, labelled, other} {
		create(t, c, parse(t, namespace))
	}
	create(t, c, mesh)
	// eventually waits until every deletion has the desired result in a dry run. The policies observe Meshes with a delay.
	eventually := func(texts []string, rejected bool) {
		t.Helper()
		var wrong string
		err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
			wrong = ""
			for _, text := range texts {
				err := c.Delete(ctx, parse(t, text), client.DryRunAll)
				denied := err != nil && strings.Contains(err.Error(), "the Mesh in-the-way still needs this: delete the Mesh")
				if rejected && !denied || !rejected && err != nil {
					wrong = fmt.Sprintf("deleting %s: %v", text, err)
				}
			}
			return wrong == "", nil
		})
		if err != nil {
			t.Errorf("rejected %t was expected: %s", rejected, wrong)
		}
	}
	eventually(needed, true)
	eventually(free, false)
	if err := c.Delete(t.Context(), mesh); err != nil {
		t.Fatal(err)
	}
	eventually(needed, false)
}
