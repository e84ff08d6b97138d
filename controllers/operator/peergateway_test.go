package operator_test

import (
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/controllers/operator/mesh"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

// definitionOf returns a definition of the Multi-Cluster Services API as the project has it.
func definitionOf(t *testing.T, plural string) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	for _, definition := range envtest.Definitions(t, crd.MCS) {
		if definition.Spec.Names.Plural == plural {
			return definition
		}
	}
	t.Fatalf("there is no definition of %s", plural)
	return nil
}

// peerMesh returns a ready mesh, and a function that gives it a peer gateway behind a load balancer.
func peerMesh(t *testing.T, name string) (m *v1alpha1.Mesh, enable func()) {
	t.Helper()
	m = readyMesh(t, name, nil)
	return m, func() {
		change(t, m, func(m *v1alpha1.Mesh) {
			m.Spec.PeerGateway = &v1alpha1.PeerGatewaySpec{
				Mode: ptr.To(v1alpha1.PeerGatewayManaged),
				Service: &v1alpha1.PeerGatewayServiceSpec{
					Type: ptr.To(corev1.ServiceTypeLoadBalancer), LoadBalancerSourceRanges: []string{v1alpha1.AnySource},
				},
			}
		})
	}
}

// A peer gateway has pods, a Service for peers and one for sidecars, and brings the kinds that say what is exported and imported. It makes the mesh ready, and
// goes with its mode. The definitions stay, because they would take the objects of users with them.
func TestPeerGateway(t *testing.T) {
	const name = "peers"
	exports := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "serviceexports.multicluster.x-k8s.io"}}
	m, enable := peerMesh(t, name)
	if found, err := exists(t.Context(), exports); found || err != nil {
		t.Errorf("a mesh without a peer gateway has installed %s (%v)", exports.Name, err)
	}
	ofOthers := definitionOf(t, "serviceexports")
	ofOthers.Spec.Versions = slices.DeleteFunc(ofOthers.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name != "v1alpha1" })
	ofOthers.Spec.Versions[0].Storage = true
	create(t, ofOthers)
	enable()
	gateway := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.PeerGateway)}
	arriving, leaving := &corev1.Service{ObjectMeta: inMeshNamespace(name, names.PeerGateway)}, &corev1.Service{ObjectMeta: inMeshNamespace(name, names.PeerLeaving)}
	waitFor(t, gateway, func(*appsv1.Deployment) error { return nil })
	waitFor(t, leaving, func(*corev1.Service) error { return nil })
	waitFor(t, arriving, func(s *corev1.Service) error {
		if s.Spec.Type != corev1.ServiceTypeLoadBalancer || len(s.Spec.LoadBalancerSourceRanges) > 0 {
			return fmt.Errorf("the Service is a %s for %v", s.Spec.Type, s.Spec.LoadBalancerSourceRanges)
		}
		return nil
	})
	waitReady(t, m)
	checkDefinitions(t, exports)
	change(t, m, func(m *v1alpha1.Mesh) { m.Spec.PeerGateway = nil })
	eventually(t, func() error {
		for _, object := range []*corev1.Service{arriving, leaving} {
			if found, err := exists(t.Context(), object); found || err != nil {
				return fmt.Errorf("%s exists (%w)", object.Name, err)
			}
		}
		return nil
	})
	checkDefinitions(t, exports)
}

// checkDefinitions checks that the definition of ServiceImport is there, and that of ServiceExport is still that of others.
func checkDefinitions(t *testing.T, exports *apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	imports := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "serviceimports.multicluster.x-k8s.io"}}
	get(t, imports)
	if imports.Labels[mesh.ManagedByLabel] != mesh.ManagedByOperator || len(imports.Spec.Versions) != 2 {
		t.Errorf("%s has the labels %v and %d versions", imports.Name, imports.Labels, len(imports.Spec.Versions))
	}
	get(t, exports)
	if exports.Labels[mesh.ManagedByLabel] != "" || len(exports.Spec.Versions) != 1 {
		t.Errorf("%s of another controller has the labels %v and %d versions", exports.Name, exports.Labels, len(exports.Spec.Versions))
	}
}

// Who replaces a definition that the operator created keeps it. Two controllers that write one definition would never stop.
func TestReplacedDefinitionIsLeftAlone(t *testing.T) {
	const name = "replaced"
	_, enable := peerMesh(t, name)
	enable()
	imports := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "serviceimports.multicluster.x-k8s.io"}}
	waitFor(t, imports, func(*apiextensionsv1.CustomResourceDefinition) error { return nil })
	change(t, imports, func(d *apiextensionsv1.CustomResourceDefinition) { d.Spec.Names.ShortNames = []string{"replaced"} })
	// The operator learns of the change, and of another one of the mesh.
	change(t, &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: name}}, func(m *v1alpha1.Mesh) { m.Spec.PeerGateway.Replicas = ptr.To[int32](3) })
	waitFor(t, &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.PeerGateway)}, func(d *appsv1.Deployment) error {
		if ptr.Deref(d.Spec.Replicas, 0) != 3 {
			return fmt.Errorf("%d replicas", *d.Spec.Replicas)
		}
		return nil
	})
	waitNoWrites(t, name)
	get(t, imports)
	if !slices.Equal(imports.Spec.Names.ShortNames, []string{"replaced"}) {
		t.Errorf("the operator has written the definition again: %v", imports.Spec.Names.ShortNames)
	}
}
