package operator_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func TestMeshIsInstalled(t *testing.T) {
	const name = "install"
	mesh := newMesh(t, name, nil)

	// Before any pod is ready, all objects exist except the webhooks, which would prevent pods from starting.
	waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForReplicas)
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: meshNamespace(name)}},
		&corev1.Secret{ObjectMeta: inMeshNamespace(name, names.CABundleSecret)},
		&corev1.Secret{ObjectMeta: inMeshNamespace(name, secrets.InjectorCert)},
		&corev1.Secret{ObjectMeta: inMeshNamespace(name, secrets.ValidatorCert)},
		&corev1.ConfigMap{ObjectMeta: inMeshNamespace(name, names.TrustConfigMap(name))},
		meshConfig(name),
		&corev1.Service{ObjectMeta: inMeshNamespace(name, names.Controller)},
		&corev1.Service{ObjectMeta: inMeshNamespace(name, names.Injector)},
		&corev1.Service{ObjectMeta: inMeshNamespace(name, names.Validator)},
		&v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "install-v0-1-0"}},
		&corev1.ServiceAccount{ObjectMeta: inMeshNamespace(name, names.Controller)},
		&corev1.ServiceAccount{ObjectMeta: inMeshNamespace(name, names.Injector)},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "osm-controller-install"}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "osm-injector-install"}},
		&rbacv1.Role{ObjectMeta: inMeshNamespace(name, names.Controller)},
		&rbacv1.RoleBinding{ObjectMeta: inMeshNamespace(name, names.Injector)},
		&policyv1.PodDisruptionBudget{ObjectMeta: inMeshNamespace(name, names.Controller)},
		&appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)},
		&appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Injector)},
		&apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "traffictargets.access.smi-spec.io"}},
	} {
		waitFor(t, object, func(client.Object) error { return nil })
	}
	injection := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook(name)}}
	if found, err := exists(t.Context(), injection); err != nil || found {
		t.Errorf("the injection webhook is registered before the injector is ready (%v)", err)
	}

	cluster.kubelet.serve(meshNamespace(name))
	waitReady(t, mesh)
	get(t, injection)
	validation := &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.ValidatingWebhook(name)}}
	get(t, validation)
	checkWebhookTrust(t, name, injection)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: meshNamespace(name)}}
	get(t, namespace)
	if owners := injection.OwnerReferences; len(owners) != 1 || owners[0].UID != namespace.UID {
		t.Errorf("the injection webhook is owned by %v, want the namespace of the mesh", owners)
	}
	if mesh.Status.Version != operatorVersion || mesh.Status.Namespace != meshNamespace(name) {
		t.Errorf("status has version %s in %s", mesh.Status.Version, mesh.Status.Namespace)
	}
	if len(mesh.Status.Revisions) != 1 || !mesh.Status.Revisions[0].Ready || mesh.Status.Revisions[0].Name != "install-v0-1-0" {
		t.Errorf("revisions = %+v", mesh.Status.Revisions)
	}
}

// checkWebhookTrust checks that the API server trusts the certificate of the injector.
func checkWebhookTrust(t *testing.T, mesh string, injection *admissionv1.MutatingWebhookConfiguration) {
	t.Helper()
	ca := &corev1.Secret{ObjectMeta: inMeshNamespace(mesh, names.CABundleSecret)}
	get(t, ca)
	if _, err := certificate.ParseRoot(ca.Data[names.CABundleCert], ca.Data[names.CABundleKey], time.Now()); err != nil {
		t.Errorf("the certificate authority is not usable: %v", err)
	}
	if string(injection.Webhooks[0].ClientConfig.CABundle) != string(ca.Data[names.CABundleCert]) {
		t.Errorf("the webhook does not trust the root of the mesh")
	}
	trust := &corev1.ConfigMap{ObjectMeta: inMeshNamespace(mesh, names.TrustConfigMap(mesh))}
	get(t, trust)
	if trust.Data[names.CABundleCert] != string(ca.Data[names.CABundleCert]) || len(trust.Data) != 1 {
		t.Errorf("the trust ConfigMap holds %d entries, want the root certificate only", len(trust.Data))
	}
}

func TestReplicasAndKeysReachTheDeployment(t *testing.T) {
	t.Parallel()
	const name = "shape"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		spec.ControlPlane = replicas(3)
		spec.ControlPlane.LogLevel = ptr.To("debug")
		spec.Certificates = &v1alpha1.CertificatesSpec{
			TrustDomain: ptr.To("shape.example"),
			Key:         &v1alpha1.KeySpec{Algorithm: ptr.To(v1alpha1.RSA), Size: ptr.To[int32](2048)},
		}
	})
	controller := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)}
	get(t, controller)
	arguments := controller.Spec.Template.Spec.Containers[0].Args
	for _, want := range []string{
		"--mesh-name=shape", "--osm-namespace=shape-system", "--trust-domain=shape.example", "--revision=shape-v0-1-0",
		"--log-level=debug", "--cert-key-algorithm=RSA", "--cert-key-size=2048",
	} {
		if !slices.Contains(arguments, want) {
			t.Errorf("the controller is not started with %s but with %v", want, arguments)
		}
	}
	if *controller.Spec.Replicas != 3 {
		t.Errorf("replicas = %d, want 3", *controller.Spec.Replicas)
	}

	// With one replica, the disruption budgets are deleted.
	change(t, mesh, func(m *v1alpha1.Mesh) {
		m.Spec.ControlPlane.Controller, m.Spec.ControlPlane.Injector = replicas(1).Controller, replicas(1).Injector
	})
	waitFor(t, controller, func(d *appsv1.Deployment) error {
		if *d.Spec.Replicas != 1 {
			return fmt.Errorf("replicas = %d", *d.Spec.Replicas)
		}
		return nil
	})
	waitGone(t, &policyv1.PodDisruptionBudget{ObjectMeta: inMeshNamespace(name, names.Controller)})
	waitReady(t, mesh)
}

func TestImagePullFailureIsReported(t *testing.T) {
	t.Parallel()
	const name = "trouble"
	mesh := newMesh(t, name, nil)
	waitFor(t, &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Injector)}, func(*appsv1.Deployment) error { return nil })
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: meshNamespace(name), Name: "osm-injector-1", Labels: map[string]string{
			names.AppLabel: names.Injector, names.MeshLabel: name,
		}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: names.Injector, Image: "example/injector:1"}}},
	}
	create(t, pod)
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: names.Injector, Image: "example/injector:1", ImageID: "",
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}},
	}}
	if err := cluster.client.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	c := waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonReplicasFailed)
	assertContains(t, c.Message, "osm-injector", "example/injector:1", "cannot be pulled")

	if err := cluster.client.Delete(t.Context(), pod, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	cluster.kubelet.serve(meshNamespace(name))
	waitReady(t, mesh)
}
