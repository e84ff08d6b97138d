package operator_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// What docs/help/restore-from-a-backup.md saves brings the mesh back, with its certificate authority and its settings.
func TestMeshComesBackFromABackup(t *testing.T) {
	t.Parallel()
	const name = "backup"
	mesh := readyMesh(t, name, nil)
	config := meshConfig(name)
	change(t, config, func(m *configv1alpha2.MeshConfig) { m.Spec.Traffic.EnableEgress = true })
	authorities := map[string]*corev1.Secret{}
	for _, secret := range []string{names.CABundleSecret, names.ActiveCASecret} {
		saved := &corev1.Secret{ObjectMeta: inMeshNamespace(name, secret)}
		get(t, saved)
		authorities[secret] = &corev1.Secret{ObjectMeta: inMeshNamespace(name, secret), Type: saved.Type, Data: saved.Data}
		authorities[secret].Labels, authorities[secret].Annotations = saved.Labels, saved.Annotations
	}
	remove(t, mesh)
	waitGone(t, mesh)
	for secret := range authorities {
		waitGone(t, &corev1.Secret{ObjectMeta: inMeshNamespace(name, secret)})
	}
	waitGone(t, meshConfig(name))

	for _, saved := range authorities {
		create(t, saved.DeepCopy())
	}
	create(t, &configv1alpha2.MeshConfig{ObjectMeta: inMeshNamespace(name, names.MeshConfig), Spec: config.Spec})
	again := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: mesh.Spec}
	create(t, again)
	waitReady(t, again)
	for secret, saved := range authorities {
		live := &corev1.Secret{ObjectMeta: inMeshNamespace(name, secret)}
		get(t, live)
		if diff := cmp.Diff(saved.Data, live.Data); diff != "" {
			t.Errorf("the Secret %s has another authority", secret)
		}
	}
	trust := &corev1.ConfigMap{ObjectMeta: inMeshNamespace(name, names.TrustConfigMap(name))}
	get(t, trust)
	if trust.Data[names.CABundleCert] != string(authorities[names.ActiveCASecret].Data[names.CABundleCert]) {
		t.Error("the trusted root is not that of the backup")
	}
	live := meshConfig(name)
	get(t, live)
	if diff := cmp.Diff(config.Spec, live.Spec); diff != "" {
		t.Errorf("the MeshConfig (-saved +restored):\n%s", diff)
	}
}
