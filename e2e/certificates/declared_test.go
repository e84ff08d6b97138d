package certificates

import (
	"context"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// declaredRoots are the root of the mesh and another one, which does not exist yet, as OSM declares them.
const declaredRoots = `apiVersion: config.openservicemesh.io/v1alpha2
kind: MeshRootCertificate
metadata: {name: osm-mesh-root-certificate, namespace: osm-system}
spec: {trustDomain: cluster.local, provider: {tresor: {ca: {secretRef: {name: osm-ca-bundle, namespace: osm-system}}}}}
---
apiVersion: config.openservicemesh.io/v1alpha2
kind: MeshRootCertificate
metadata: {name: second, namespace: osm-system}
spec: {role: passive, trustDomain: cluster.local, provider: {tresor: {ca: {secretRef: {name: osm-ca-bundle-1, namespace: osm-system}}}}}
`

// The mesh moves to another root as OSM documents it, by the roles of MeshRootCertificates, and back when they are deleted.
func TestRootsAreDeclaredByTheirRoles(t *testing.T) {
	lab.RequireFull(t)
	s := deployShop(t)
	before := ownAuthority(t)
	s.underLoad(t, func() {
		lab.Must(t, cluster.Apply(t.Context(), declaredRoots))
		t.Cleanup(func() { lab.Must(t, cluster.Delete(context.Background(), declaredRoots)) })
		awaitState(t, "osm-mesh-root-certificate", configv1alpha2.StateActive)
		awaitState(t, "second", configv1alpha2.StateValidatingRollout)
		setRole(t, "second", configv1alpha2.RoleActive)
		awaitState(t, "second", configv1alpha2.StateActive)
		setRole(t, "osm-mesh-root-certificate", configv1alpha2.RoleInactive)
		awaitState(t, "osm-mesh-root-certificate", configv1alpha2.StateInactive)
		after := awaitRotation(t, before, func(string) {})
		requireIssued(t, s.chain(t), after)
		lab.Must(t, cluster.Delete(t.Context(), declaredRoots))
		restored := awaitRotation(t, after, func(string) {})
		if restored.Generation() != before.Generation() {
			t.Errorf("%s issues without MeshRootCertificates, want %s", restored.Generation(), before.Generation())
		}
	})
}

// setRole changes the role of a MeshRootCertificate.
func setRole(t *testing.T, name string, role configv1alpha2.RootRole) {
	t.Helper()
	object := &configv1alpha2.MeshRootCertificate{ObjectMeta: metav1.ObjectMeta{Namespace: names.DefaultNamespace, Name: name}}
	lab.Must(t, cluster.Client.Patch(t.Context(), object, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"role":%q}}`, role))))
}

// awaitState waits until a MeshRootCertificate has a state and its role is in effect.
func awaitState(t *testing.T, name, state string) {
	t.Helper()
	lab.Eventually(t, rotationLimit, name+" is "+state, func(ctx context.Context) (bool, string, error) {
		object := &configv1alpha2.MeshRootCertificate{}
		err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: names.DefaultNamespace, Name: name}, object)
		ready := false
		for _, c := range object.Status.Conditions {
			ready = ready || c.Type == configv1alpha2.ConditionReady && c.Status == metav1.ConditionTrue && c.ObservedGeneration == object.Generation
		}
		return ready && object.Status.State == state, fmt.Sprintf("%s %v", object.Status.State, object.Status.Conditions), err
	})
}
