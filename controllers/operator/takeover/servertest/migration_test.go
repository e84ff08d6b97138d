package servertest

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/controllers/operator/mesh"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/legacyosm"
)

// A migration from OSM v1.2: a Mesh over a running OSM is stalled, and so is one over a Helm release without Deployments. After an
// uninstallation without hooks the Mesh adopts what is left.
func TestTakesOverAnUninstalledOSM(t *testing.T) {
	c := newCluster(t)
	c.apply(legacyosm.Definitions())
	kept := c.apply(legacyosm.Made("osm", "osm-system"))
	kept = append(kept, c.authority("osm-system"))
	kept = append(kept, c.apply(legacyosm.Users("osm", "osm-system"))...)
	before := c.snapshot(kept)
	deployments, services := c.runOSM("osm", "osm-system")
	web := c.workload("osm-bookbuyer", "bookbuyer")
	c.apply(legacyosm.Webhooks("osm", "osm-system"))
	c.installKinds()

	stop := c.operator()
	desired := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}, Spec: v1alpha1.MeshSpec{Namespace: ptr.To("osm-system")}}
	must(t, c.client.Create(t.Context(), desired))
	c.contains(c.condition("osm", v1alpha1.ConditionStalled, v1alpha1.ReasonNamespaceClaimed),
		"Deployment osm-system/osm-controller", "was not made for this Mesh", "helm uninstall osm --namespace osm-system --no-hooks", "docs/migration.md")
	for _, object := range deployments {
		must(t, c.client.Delete(t.Context(), object))
	}
	c.touch(desired)
	c.eventually(func() error {
		message := c.condition("osm", v1alpha1.ConditionStalled, v1alpha1.ReasonNamespaceClaimed)
		if !strings.Contains(message, "Service osm-system/osm-controller") {
			return fmt.Errorf("the message does not name the Helm release: %s", message)
		}
		return nil
	})
	stop()
	for _, object := range services {
		must(t, c.client.Delete(t.Context(), object))
	}
	c.breakConversions()

	// The new operator finds kinds that cannot be listed. In plan mode it changes nothing else.
	must(t, c.client.Patch(t.Context(), desired, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"mode":"Plan"}}`))))
	defer c.operator()()
	c.waitPlan()
	must(t, c.client.Patch(t.Context(), desired, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"mode":"Apply"}}`))))
	c.condition("osm", v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	if diff := cmp.Diff(before, c.snapshot(kept)); diff != "" {
		t.Errorf("objects of users or OSM were changed (-before +after):\n%s", diff)
	}
	c.checkDefinitions()
	c.checkWebhooks()
	c.checkRestarted(web)
	c.checkDeclaredFieldsOnly(desired, before, kept)
}

// authority creates a certificate authority in the format of OSM.
func (c *cluster) authority(namespace string) *unstructured.Unstructured {
	c.t.Helper()
	root, err := legacyosm.NewAuthority(time.Now())
	must(c.t, err)
	key, err := root.KeyPEM()
	must(c.t, err)
	must(c.t, c.client.Create(c.t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: names.CABundleSecret},
		Data:       map[string][]byte{names.CABundleCert: root.CertPEM(), names.CABundleKey: key},
	}))
	secret := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Secret"}}
	secret.SetNamespace(namespace)
	secret.SetName(names.CABundleSecret)
	return secret
}

// snapshot returns the content of objects without metadata that every write changes. A MeshConfig and a MeshRootCertificate have no status
// in it, because the operator writes that.
func (c *cluster) snapshot(objects []*unstructured.Unstructured) map[string]any {
	c.t.Helper()
	all := map[string]any{}
	for _, object := range objects {
		live := c.read(object)
		live.SetResourceVersion("")
		live.SetManagedFields(nil)
		if kind := live.GetKind(); kind == "MeshConfig" || kind == "MeshRootCertificate" {
			delete(live.Object, "status")
		}
		all[live.GetKind()+" "+live.GetNamespace()+"/"+live.GetName()] = live.Object
	}
	return all
}

// runOSM creates the objects of a running Helm release of OSM.
func (c *cluster) runOSM(mesh, namespace string) (deployments, services []client.Object) {
	c.t.Helper()
	for _, name := range []string{names.Controller, names.Injector, "osm-bootstrap"} {
		meta := metav1.ObjectMeta{
			Namespace: namespace, Name: name,
			Labels: map[string]string{
				names.NameLabel: names.AppName, names.InstanceLabel: mesh, names.VersionLabel: "v1.2.4", names.AppLabel: name, names.MeshNameLabel: mesh,
			},
			Annotations: map[string]string{"meta.helm.sh/release-name": mesh, "meta.helm.sh/release-namespace": namespace},
		}
		pods := map[string]string{names.AppLabel: name}
		deployments = append(deployments, &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: pods},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: pods},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: name, Image: "openservicemesh/" + name + ":v1.2.4"}}},
			},
		}})
		services = append(services, &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
			Selector: pods, Ports: []corev1.ServicePort{{Name: "port", Port: 9091}},
		}})
	}
	for _, object := range append(deployments, services...) {
		must(c.t, c.client.Create(c.t.Context(), object.DeepCopyObject().(client.Object)))
	}
	return deployments, services
}

// workload creates a Deployment whose pod has a sidecar of OSM.
func (c *cluster) workload(namespace, name string) *appsv1.Deployment {
	c.t.Helper()
	labels := map[string]string{"app": name}
	app := corev1.Container{Name: "app", Image: "example/app:1"}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](1), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{app}}},
		},
	}
	must(c.t, c.client.Create(c.t.Context(), d))
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
	must(c.t, c.client.Status().Update(c.t.Context(), d))
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name + "-5c-a",
			Labels: map[string]string{"app": name, appsv1.DefaultDeploymentUniqueLabelKey: "5c", names.ProxyUUIDLabel: "0e39e8d4-4b1c-4d2e-8a51-1d9f6c0b7a11"},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: name + "-5c", UID: "1", Controller: ptr.To(true),
			}},
		},
		Spec: corev1.PodSpec{ServiceAccountName: name, Containers: []corev1.Container{app, {Name: names.SidecarContainer, Image: "envoyproxy/envoy-distroless:v1.22.2"}}},
	}
	must(c.t, c.client.Create(c.t.Context(), pod))
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
		{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()},
	}}
	must(c.t, c.client.Status().Update(c.t.Context(), pod))
	return d
}

// installKinds applies the operator's CRDs over the existing ones, as its installation does.
func (c *cluster) installKinds() {
	c.t.Helper()
	paths, err := fs.Glob(crd.Own, "*/*.yaml")
	must(c.t, err)
	for _, path := range paths {
		text, err := fs.ReadFile(crd.Own, path)
		must(c.t, err)
		objects, err := operand.DecodeYAML(text)
		must(c.t, err)
		for _, object := range objects {
			must(c.t, c.client.Apply(c.t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("kubectl"), client.ForceOwnership))
		}
	}
	// The API server serves a new kind a moment later. An operator that starts before fails, and is restarted.
	c.eventually(func() error {
		return errors.Join(c.client.List(c.t.Context(), &v1alpha1.MeshList{}), c.client.List(c.t.Context(), &v1alpha1.MeshRevisionList{}))
	})
}

// breakConversions gives the CRDs of OSM a conversion webhook without a Service, as OSM up to v1.2.0 left them.
func (c *cluster) breakConversions() {
	c.t.Helper()
	objects, err := operand.DecodeYAML([]byte(legacyosm.Definitions()))
	must(c.t, err)
	for _, object := range objects {
		patch := fmt.Sprintf(`{"spec":{"conversion":{"strategy":"Webhook","webhook":{"conversionReviewVersions":["v1beta1","v1"],
			"clientConfig":{"service":{"namespace":"osm-system","name":"osm-bootstrap","port":9443,"path":"/convert/%s"}}}}}}`, strings.Split(object.GetName(), ".")[0])
		must(c.t, c.client.Patch(c.t.Context(), object, client.RawPatch("application/merge-patch+json", []byte(patch)), client.FieldOwner("osm-bootstrap")))
	}
}

// touch triggers a reconciliation of a Mesh.
func (c *cluster) touch(mesh *v1alpha1.Mesh) {
	c.t.Helper()
	must(c.t, c.client.Patch(c.t.Context(), mesh, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"example.org/look":"again"}}}`))))
}

func (c *cluster) contains(text string, words ...string) {
	c.t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			c.t.Errorf("%q does not contain %q", text, word)
		}
	}
}

// waitPlan waits for a plan that names the adopted objects.
func (c *cluster) waitPlan() {
	c.t.Helper()
	c.eventually(func() error {
		m := &v1alpha1.Mesh{}
		if err := c.client.Get(c.t.Context(), client.ObjectKey{Name: "osm"}, m); err != nil {
			return err
		}
		if m.Status.Plan == nil || m.Status.ObservedGeneration != m.Generation {
			return fmt.Errorf("there is no plan: %+v", m.Status.Conditions)
		}
		text := fmt.Sprintf("%+v", *m.Status.Plan)
		for _, want := range []string{"aks-osm-webhook-osm", "osm-webhook-osm", "bookbuyer"} {
			if !strings.Contains(text, want) {
				return fmt.Errorf("the plan does not name %s: %s", want, text)
			}
		}
		return nil
	})
	injection := &admissionv1.MutatingWebhookConfiguration{}
	must(c.t, c.client.Get(c.t.Context(), client.ObjectKey{Name: "aks-osm-webhook-osm"}, injection))
}

// checkDefinitions checks that every kind is served, in each version that the control plane reads.
func (c *cluster) checkDefinitions() {
	c.t.Helper()
	var list apiextensionsv1.CustomResourceDefinitionList
	must(c.t, c.client.List(c.t.Context(), &list))
	for i := range list.Items {
		definition := &list.Items[i]
		if conversion := definition.Spec.Conversion; conversion != nil && conversion.Strategy != apiextensionsv1.NoneConverter {
			c.t.Errorf("%s still has the conversion webhook %s", definition.Name, conversion.Webhook.ClientConfig.Service.Name)
		}
		if strings.HasSuffix(definition.Name, "smi-spec.io") && definition.Labels[mesh.ManagedByLabel] != mesh.ManagedByOperator {
			c.t.Errorf("%s is not managed by the operator", definition.Name)
		}
	}
	split := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "split.smi-spec.io/v1alpha4", "kind": "TrafficSplit"}}
	split.SetNamespace("osm-bookstore")
	split.SetName("bookstore-split")
	c.read(split)
}

// checkWebhooks checks that the only webhooks are those of the mesh.
func (c *cluster) checkWebhooks() {
	c.t.Helper()
	var injections admissionv1.MutatingWebhookConfigurationList
	must(c.t, c.client.List(c.t.Context(), &injections))
	if n := len(injections.Items); n != 1 {
		c.t.Fatalf("%d mutating webhook configurations, want one", n)
	}
	own := injections.Items[0]
	if own.Name != "osm-webhook-osm" || own.Labels[names.MeshLabel] != "osm" || len(own.Webhooks) != 1 || len(own.Webhooks[0].ClientConfig.CABundle) == 0 {
		c.t.Errorf("the webhook is %s, labels %v, %+v", own.Name, own.Labels, own.Webhooks)
	}
	validation := &admissionv1.ValidatingWebhookConfiguration{}
	must(c.t, c.client.Get(c.t.Context(), client.ObjectKey{Name: names.ValidatingWebhook("osm")}, validation))
	if validation.Labels[names.MeshLabel] != "osm" || len(validation.Webhooks) != 3 {
		c.t.Errorf("the validating webhook is not the mesh's: %v, %d webhooks", validation.Labels, len(validation.Webhooks))
	}
}

// checkRestarted checks that a sidecar of OSM is counted, reported and replaced.
func (c *cluster) checkRestarted(d *appsv1.Deployment) {
	c.t.Helper()
	c.eventually(func() error {
		live := &appsv1.Deployment{}
		must(c.t, c.client.Get(c.t.Context(), client.ObjectKeyFromObject(d), live))
		if at := live.Spec.Template.Annotations[names.RestartAnnotation]; !strings.HasPrefix(at, "osm-v9-9-9 ") {
			return fmt.Errorf("the Deployment was restarted for %q", at)
		}
		m := &v1alpha1.Mesh{}
		must(c.t, c.client.Get(c.t.Context(), client.ObjectKey{Name: "osm"}, m))
		want := &v1alpha1.ProxyCounts{Total: 1, Outdated: 1, ByRevision: []v1alpha1.RevisionProxies{{Total: 1}}}
		if diff := cmp.Diff(want, m.Status.Proxies); diff != "" {
			return fmt.Errorf("proxies (-want +got):\n%s", diff)
		}
		return nil
	})
	c.eventually(func() error {
		m := &v1alpha1.Mesh{}
		must(c.t, c.client.Get(c.t.Context(), client.ObjectKey{Name: "osm"}, m))
		outdated := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionDataPlaneUpToDate)
		if outdated == nil || !strings.Contains(outdated.Message, "sidecars that an Open Service Mesh has made: 1") {
			return fmt.Errorf("the condition does not report the sidecars of OSM: %+v", outdated)
		}
		return nil
	})
}

// checkDeclaredFieldsOnly declares one field, and checks that only that one changes. Then it deletes the Mesh, and checks that the adopted
// objects stay.
func (c *cluster) checkDeclaredFieldsOnly(m *v1alpha1.Mesh, before map[string]any, kept []*unstructured.Unstructured) {
	c.t.Helper()
	must(c.t, c.client.Patch(c.t.Context(), m, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"traffic":{"egress":false}}}`))))
	config := "MeshConfig osm-system/" + names.MeshConfig
	c.eventually(func() error {
		after := c.snapshot(kept)
		spec := after[config].(map[string]any)["spec"].(map[string]any)
		if spec["traffic"].(map[string]any)["enableEgress"] != false {
			return fmt.Errorf("the declared field is not written yet")
		}
		spec["traffic"].(map[string]any)["enableEgress"] = true
		earlier := before[config].(map[string]any)
		if diff := cmp.Diff(earlier["spec"], spec); diff != "" {
			c.t.Fatalf("other fields changed (-before +after):\n%s", diff)
		}
		return nil
	})
	must(c.t, c.client.DeleteAllOf(c.t.Context(), &corev1.Pod{}, client.InNamespace("osm-bookbuyer"), client.GracePeriodSeconds(0)))
	must(c.t, c.client.Delete(c.t.Context(), m))
	c.eventually(func() error {
		err := c.client.Get(c.t.Context(), client.ObjectKeyFromObject(m), m)
		if !apierrors.IsNotFound(err) {
			return fmt.Errorf("the Mesh still exists (%w): %+v", err, m.Status.Conditions)
		}
		return nil
	})
	for _, object := range kept {
		c.read(object)
	}
}
