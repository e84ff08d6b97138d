package crd_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// testOnlyTheOperatorOpensAMesh writes the annotation that opens all sidecars, as an editor of MeshConfigs and with the role of the
// operator.
func testOnlyTheOperatorOpensAMesh(t *testing.T, server *rest.Config, admin client.Client) {
	for _, text := range []string{
		"{apiVersion: v1, kind: Namespace, metadata: {name: opened-system}}",
		"{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: config-editor}, rules: [{apiGroups: [config.openservicemesh.io], resources: [meshconfigs], verbs: [create, patch, get]}]}",
		"{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: config-editor}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: config-editor}, subjects: [{kind: User, name: editor}]}",
		"{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: osm-operator}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: osm-operator}, subjects: [{kind: User, name: operator}]}",
	} {
		create(t, admin, parse(t, text))
	}
	createOperatorRole(t, admin)
	editor, operator := newClientOf(t, server, "editor"), newClientOf(t, server, "operator")
	config := func(annotations string) string {
		return "{apiVersion: config.openservicemesh.io/v1alpha2, kind: MeshConfig, metadata: {name: osm-mesh-config, namespace: opened-system, annotations: {" + annotations + "}}}"
	}
	const leaving = "operator.openservicemesh.io/leaving: open"
	awaitCreation(t, editor, config(""), "")
	awaitCreation(t, editor, config(leaving), "only the operator writes the annotation operator.openservicemesh.io/leaving")
	awaitCreation(t, operator, config(leaving), "")
	object := parse(t, config(leaving))
	create(t, admin, object)
	for patch, want := range map[string]string{
		`{"metadata":{"labels":{"mine":"yes"}}}`:                                             "",
		`{"metadata":{"annotations":{"operator.openservicemesh.io/leaving":"passthrough"}}}`: "only the operator writes",
		`{"metadata":{"annotations":{"operator.openservicemesh.io/leaving":null}}}`:          "only the operator writes",
	} {
		err := editor.Patch(t.Context(), object.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(patch)), client.DryRunAll)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("the patch %s: %v, want %q", patch, err, want)
		}
	}
}

// newClientOf returns a client of a user.
func newClientOf(t *testing.T, server *rest.Config, user string) client.Client {
	t.Helper()
	impersonating := rest.CopyConfig(server)
	impersonating.Impersonate = rest.ImpersonationConfig{UserName: user}
	return newClient(t, impersonating)
}

// awaitCreation waits until creating an object is rejected with some words in a dry run, or allowed without words. A new role or policy acts with a
// delay.
func awaitCreation(t *testing.T, c client.Client, text, words string) {
	t.Helper()
	var wrong string
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		err := c.Create(ctx, parse(t, text), client.DryRunAll)
		wrong = fmt.Sprintf("creating %s: %v", text, err)
		return words == "" && err == nil || words != "" && err != nil && strings.Contains(err.Error(), words), nil
	})
	if err != nil {
		t.Errorf("the answer %q was expected: %s", words, wrong)
	}
}
