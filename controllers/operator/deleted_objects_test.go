package operator_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// waitRecreated waits until an object exists with another UID.
func waitRecreated(t *testing.T, object client.Object, before types.UID) {
	t.Helper()
	waitFor(t, object, func(now client.Object) error {
		if now.GetUID() == before || now.GetDeletionTimestamp() != nil {
			return fmt.Errorf("%T %s was not recreated", now, now.GetName())
		}
		return nil
	})
}

// Deleting a MeshRevision does not change the control plane. The recreated one takes it over.
func TestDeletedRevisionKeepsTheControlPlane(t *testing.T) {
	t.Parallel()
	const name = "norevision"
	mesh := readyMesh(t, name, nil)
	revision := &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "norevision-v0-1-0"}}
	controller := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)}
	get(t, revision)
	get(t, controller)
	before, template := controller.UID, controller.Spec.Template.DeepCopy()
	remove(t, revision)
	waitRecreated(t, revision, revision.UID)
	waitReady(t, mesh)
	get(t, controller)
	if diff := cmp.Diff(*template, controller.Spec.Template); controller.UID != before || diff != "" || len(controller.OwnerReferences) != 0 {
		t.Errorf("the Deployment was replaced, its pods are, or it has an owner (-before +after):\n%s", diff)
	}
}

// Deleted objects of a running mesh are recreated.
func TestDeletedObjectsAreRecreated(t *testing.T) {
	const name = "deletedparts"
	mesh := readyMesh(t, name, nil)
	for _, object := range []client.Object{
		&corev1.Service{ObjectMeta: inMeshNamespace(name, names.Injector)},
		&appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Injector)},
		&admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook(name)}},
		meshConfig(name),
		&corev1.ConfigMap{ObjectMeta: inMeshNamespace(name, names.TrustConfigMap(name))},
		&corev1.Secret{ObjectMeta: inMeshNamespace(name, names.CABundleSecret)},
		&apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "udproutes.specs.smi-spec.io"}},
	} {
		t.Run(fmt.Sprintf("%T", object), func(t *testing.T) {
			get(t, object)
			before := object.GetUID()
			remove(t, object)
			waitRecreated(t, object, before)
			waitReady(t, mesh)
		})
	}
	waitEvent(t, meshNamespace(name), "AuthorityReplaced", "was gone")
}

// The operator restores the replicas of the injector.
func TestInjectorScaledToZeroIsRepaired(t *testing.T) {
	t.Parallel()
	const name = "scaled"
	readyMesh(t, name, nil)
	injector := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Injector)}
	change(t, injector, func(d *appsv1.Deployment) { none := int32(0); d.Spec.Replicas = &none })
	waitFor(t, injector, func(d *appsv1.Deployment) error {
		if *d.Spec.Replicas == 0 {
			return fmt.Errorf("it still has no replicas")
		}
		return nil
	})
}

// The webhooks are deleted as soon as the namespace of the mesh is deleted, although sidecars exist. Otherwise new pods would wait for
// missing servers. The mesh can be removed without its namespace.
func TestDeletedMeshNamespaceRemovesWebhooks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		removed bool
	}{{"nohome", false}, {"nohomeremoved", true}} {
		t.Run(test.name, func(t *testing.T) {
			mesh := readyMesh(t, test.name, nil)
			create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: test.name + "-shop"}})
			pod := podWithSidecar(t, test.name+"-shop", test.name+"-v0-1-0")
			if test.removed {
				remove(t, mesh)
				waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForSidecars)
			}
			remove(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: meshNamespace(test.name)}})
			waitGone(t, &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook(test.name)}})
			waitGone(t, &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.ValidatingWebhook(test.name)}})
			if !test.removed {
				condition := waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonApplyFailed)
				assertContains(t, condition.Message, "is being deleted: the mesh is installed again when it is gone")
				remove(t, mesh)
			}
			waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForSidecars)
			remove(t, pod, client.GracePeriodSeconds(0))
			waitGone(t, mesh)
		})
	}
}
