package operator_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Each mesh has its own certificate authority and cluster-scoped objects, and can be deleted alone.
func TestMeshesShareNoObjects(t *testing.T) {
	t.Parallel()
	one := readyMesh(t, "apart", nil)
	two := readyMesh(t, "apart-too", nil)
	authorities := map[string]bool{}
	for _, name := range []string{one.Name, two.Name} {
		secret := &corev1.Secret{ObjectMeta: inMeshNamespace(name, names.CABundleSecret)}
		get(t, secret)
		authorities[string(secret.Data[names.CABundleCert])] = true
		controller := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)}
		get(t, controller)
		arguments := controller.Spec.Template.Spec.Containers[0].Args
		for _, want := range []string{"--mesh-name=" + name, "--osm-namespace=" + meshNamespace(name)} {
			if !slices.Contains(arguments, want) {
				t.Errorf("the controller of %s is not started with %s but with %v", name, want, arguments)
			}
		}
		get(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "osm-controller-" + name}})
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "osm-controller-" + name}}
		get(t, binding)
		if len(binding.Subjects) != 1 || binding.Subjects[0].Namespace != meshNamespace(name) {
			t.Errorf("the role of %s is bound to %+v", name, binding.Subjects)
		}
	}
	if len(authorities) != 2 {
		t.Error("the meshes have the same certificate authority")
	}

	if err := cluster.client.Delete(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	waitGone(t, one)
	waitReady(t, two)
	get(t, &appsv1.Deployment{ObjectMeta: inMeshNamespace(two.Name, names.Controller)})
	get(t, &corev1.ConfigMap{ObjectMeta: inMeshNamespace(two.Name, names.TrustConfigMap(two.Name))})
}

// The sidecars of a mesh with the name of a revision would count as those of another mesh.
func TestNameOfARevisionIsRejected(t *testing.T) {
	t.Parallel()
	c := waitCondition(t, newMesh(t, "likeness-v0-1-0", nil), v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidSpec)
	assertContains(t, c.Message, "likeness-v0-1-0", "a revision of the mesh likeness", "create it again under another name")
}

func TestNamespaceOfAnotherMeshIsRejected(t *testing.T) {
	t.Parallel()
	const name = "lodger"
	inside := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: meshNamespace(name), Labels: map[string]string{names.MonitoredByLabel: "landlord"}}}
	create(t, inside)
	cluster.kubelet.serve(meshNamespace(name))
	mesh := newMesh(t, name, nil)
	c := waitCondition(t, mesh, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNamespaceClaimed)
	assertContains(t, c.Message, meshNamespace(name), "part of the mesh landlord", "kubectl label namespace "+meshNamespace(name)+" openservicemesh.io/monitored-by-")
	if found, err := exists(t.Context(), &corev1.Secret{ObjectMeta: inMeshNamespace(name, names.CABundleSecret)}); err != nil || found {
		t.Errorf("an object of a stalled mesh was created (%v)", err)
	}

	// A corrected label needs nothing else.
	change(t, inside, func(n *corev1.Namespace) { delete(n.Labels, names.MonitoredByLabel) })
	waitReady(t, mesh)
}

func TestNameOfARunningOSMIsRejected(t *testing.T) {
	t.Parallel()
	const name = "doppelganger"
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "doppelganger-elsewhere"}})
	labels := map[string]string{names.AppLabel: names.Controller}
	create(t, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "doppelganger-elsewhere", Name: names.Controller, Labels: map[string]string{names.AppLabel: names.Controller, names.MeshNameLabel: name},
		},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "old", Image: "old/osm-controller:v1.2.4"}}},
			},
		},
	})
	c := waitCondition(t, newMesh(t, name, nil), v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNamespaceClaimed)
	assertContains(t, c.Message, "doppelganger-elsewhere/osm-controller", "helm uninstall doppelganger --namespace doppelganger-elsewhere --no-hooks")
}

func TestSharedAuthorityIsReported(t *testing.T) {
	t.Parallel()
	readyMesh(t, "original", nil)
	secret := &corev1.Secret{ObjectMeta: inMeshNamespace("original", names.CABundleSecret)}
	get(t, secret)
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: meshNamespace("copied")}})
	create(t, &corev1.Secret{ObjectMeta: inMeshNamespace("copied", names.CABundleSecret), Data: secret.Data})
	mesh := readyMesh(t, "copied", nil)
	c := waitCondition(t, mesh, v1alpha1.ConditionCertificatesReady, metav1.ConditionTrue, v1alpha1.ReasonCertificatesValid)
	assertContains(t, c.Message, "is that of the mesh original too", "copied-system/osm-ca-bundle")
}

// The pods of a namespace that moves to another mesh belong to the new mesh.
func TestNamespaceMovesToAnotherMesh(t *testing.T) {
	t.Parallel()
	from, to := readyMesh(t, "giving", fastUpgradesNow), readyMesh(t, "taking", fastUpgradesNow)
	s := newWorkloads(t, "giving", "cart")
	s.wait("giving-v0-1-0", 1)
	proxies := func(mesh *v1alpha1.Mesh, want ...v1alpha1.RevisionProxies) {
		t.Helper()
		eventually(t, func() error {
			if err := cluster.client.Get(t.Context(), client.ObjectKeyFromObject(mesh), mesh); err != nil {
				return err
			}
			if p := mesh.Status.Proxies; p == nil || !slices.Equal(p.ByRevision, want) {
				return fmt.Errorf("Mesh %s counts %+v, want %+v", mesh.Name, p, want)
			}
			return nil
		})
	}
	proxies(from, v1alpha1.RevisionProxies{Revision: "giving-v0-1-0", Total: 1})

	// No injector runs in this cluster, so a restarted Deployment would never be ready.
	change(t, to, func(m *v1alpha1.Mesh) { m.Spec.Upgrade.DataPlane.Restart = ptr.To(v1alpha1.RestartManual) })
	waitReady(t, to)
	shop := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	change(t, shop, func(n *corev1.Namespace) { n.Labels[names.MonitoredByLabel] = "giving" })
	change(t, shop, func(n *corev1.Namespace) { n.Labels[names.MonitoredByLabel] = "taking" })
	proxies(to, v1alpha1.RevisionProxies{Revision: "giving-v0-1-0", Total: 1})
	proxies(from)
	eventually(t, func() error {
		if err := cluster.client.Get(t.Context(), client.ObjectKeyFromObject(to), to); err != nil {
			return err
		}
		dataPlane := meta.FindStatusCondition(to.Status.Conditions, v1alpha1.ConditionDataPlaneUpToDate)
		if dataPlane == nil || !strings.Contains(dataPlane.Message, "sidecars that the mesh giving has made, of which the namespaces were a part: 1") {
			return fmt.Errorf("the sidecars of the other mesh are not reported: %+v", dataPlane)
		}
		return nil
	})
}

// fastUpgradesNow is fastUpgrades with the version of the operator.
func fastUpgradesNow(spec *v1alpha1.MeshSpec) {
	fastUpgrades(spec)
	spec.Version = nil
}
