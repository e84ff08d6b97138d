package servertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/legacyosm"
)

// own is the namespace of the Mesh.
const own = "osm-mesh"

// startOSM creates an Open Service Mesh that runs, with its policies, its webhooks and workloads with its sidecar, of which the first calls the
// second. It returns its Deployments and Services, its webhooks, and the workloads. No pod can be created in its namespaces afterwards, because no server answers.
func (c *cluster) startOSM(args ...string) (running []client.Object, webhooks []*unstructured.Unstructured, workloads []*appsv1.Deployment) {
	c.t.Helper()
	c.apply(legacyosm.Definitions())
	c.apply(legacyosm.Made("osm", c.from))
	c.authority(c.from)
	c.apply(legacyosm.Users("osm", c.from))
	deployments, services := c.runOSM("osm", c.from)
	for _, object := range deployments {
		d := object.(*appsv1.Deployment).DeepCopy()
		must(c.t, c.client.Get(c.t.Context(), client.ObjectKeyFromObject(object), d))
		if d.Name == names.Controller {
			d.Spec.Template.Spec.Containers[0].Args = append([]string{"--mesh-name", "osm", "--osm-version", "v1.2.4", "--certificate-manager", "tresor", "--enable-reconciler=true"}, args...)
			must(c.t, c.client.Update(c.t.Context(), d))
		}
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
		must(c.t, c.client.Status().Update(c.t.Context(), d))
	}
	workloads = append(workloads, c.workload("osm-bookbuyer", "bookbuyer"), c.workload("osm-bookstore", "bookstore"))
	for _, workload := range workloads {
		c.nextPod(workload)
	}
	webhooks = c.apply(strings.ReplaceAll(legacyosm.Webhooks("osm", c.from), "kube-system", c.from))
	return append(deployments, services...), webhooks, workloads
}

// adoptingMesh is a Mesh that takes over.
func (c *cluster) adoptingMesh() *v1alpha1.Mesh {
	return &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}, Spec: v1alpha1.MeshSpec{
		Namespace: ptr.To(own), Adoption: &v1alpha1.AdoptionSpec{From: ptr.To(c.from)},
		Upgrade: &v1alpha1.UpgradeSpec{DataPlane: &v1alpha1.DataPlaneSpec{PauseBetween: ptr.To(v1alpha1.NewDuration(0))}},
	}}
}

// patchMesh changes the Mesh.
func (c *cluster) patchMesh(patch string) {
	c.t.Helper()
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}
	must(c.t, c.client.Patch(c.t.Context(), mesh, client.RawPatch("application/merge-patch+json", []byte(patch))))
}

func (c *cluster) setStep(step v1alpha1.AdoptionStep) {
	c.t.Helper()
	c.patchMesh(fmt.Sprintf(`{"spec":{"adoption":{"step":%q}}}`, step))
}

// reconciler restores webhook configurations with its label, as the reconciler of an Open Service Mesh does: after a change of their webhooks, and after
// an event that looks like a deletion.
func (c *cluster) reconciler(ctx context.Context) {
	label := "openservicemesh.io/reconcile"
	last := map[string]*admissionv1.MutatingWebhookConfiguration{}
	for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		var list admissionv1.MutatingWebhookConfigurationList
		if c.client.List(ctx, &list, client.MatchingLabels{label: "true"}) != nil {
			continue
		}
		seen := map[string]bool{}
		for i := range list.Items {
			object := &list.Items[i]
			seen[object.Name] = true
			if earlier := last[object.Name]; earlier != nil && !cmp.Equal(earlier.Webhooks, object.Webhooks) {
				object.Webhooks, object.Labels = earlier.Webhooks, earlier.Labels
				_ = c.client.Update(ctx, object)
				continue
			}
			last[object.Name] = object.DeepCopy()
		}
		for name, earlier := range last {
			if !seen[name] {
				earlier.ResourceVersion = ""
				_ = c.client.Create(ctx, earlier) // it exists
				delete(last, name)
			}
		}
	}
}

// calls returns the namespace of the Service that a mutating webhook configuration calls; empty without webhooks.
func (c *cluster) calls(name string) string {
	c.t.Helper()
	live := &admissionv1.MutatingWebhookConfiguration{}
	must(c.t, c.client.Get(c.t.Context(), client.ObjectKey{Name: name}, live))
	for _, webhook := range live.Webhooks {
		return webhook.ClientConfig.Service.Namespace
	}
	return ""
}

// awaitCalls waits until the own configuration and that of an add-on call Services in some namespaces.
func (c *cluster) awaitCalls(ownName, addOn string) {
	c.t.Helper()
	c.eventually(func() error {
		if a, b := c.calls("osm-webhook-osm"), c.calls("aks-osm-webhook-osm"); a != ownName || b != addOn {
			return fmt.Errorf("the webhooks call %q and %q, want %q and %q", a, b, ownName, addOn)
		}
		return nil
	})
}

// webhookContent is snapshot without the generation, which every change increments.
func (c *cluster) webhookContent(objects []*unstructured.Unstructured) map[string]any {
	all := c.snapshot(objects)
	for _, object := range all {
		unstructured.RemoveNestedField(object.(map[string]any), "metadata", "generation")
	}
	return all
}

// restartedFor waits until a Deployment was restarted for a target; with an empty one it checks that it was not.
func (c *cluster) restartedFor(d *appsv1.Deployment, target string) {
	c.t.Helper()
	c.eventually(func() error {
		live := &appsv1.Deployment{}
		must(c.t, c.client.Get(c.t.Context(), client.ObjectKeyFromObject(d), live))
		if at := live.Spec.Template.Annotations[names.RestartAnnotation]; !strings.HasPrefix(at, target+" ") && at != target {
			return fmt.Errorf("the Deployment was restarted for %q, want %q", at, target)
		}
		return nil
	})
}

// waitsFor waits until a workload waits for others, and checks that it was not restarted for a target.
func (c *cluster) waitsFor(d *appsv1.Deployment, target, others string) {
	c.t.Helper()
	c.eventually(func() error {
		upToDate := meta.FindStatusCondition(c.mesh().Status.Conditions, v1alpha1.ConditionDataPlaneUpToDate)
		if upToDate == nil || !strings.Contains(upToDate.Message, others) {
			return fmt.Errorf("the condition is %+v", upToDate)
		}
		return nil
	})
	live := &appsv1.Deployment{}
	must(c.t, c.client.Get(c.t.Context(), client.ObjectKeyFromObject(d), live))
	if at := live.Spec.Template.Annotations[names.RestartAnnotation]; strings.HasPrefix(at, target+" ") {
		c.t.Errorf("the Deployment was restarted for %q and waits for others", at)
	}
}

// nextPod creates the pod with a sidecar of this mesh that replaces the pod of a workload. It is failed until then, and does not count.
func (c *cluster) nextPod(d *appsv1.Deployment) {
	c.t.Helper()
	pod := &corev1.Pod{}
	must(c.t, c.client.Get(c.t.Context(), client.ObjectKey{Namespace: d.Namespace, Name: d.Name + "-5c-a"}, pod))
	pod.Name, pod.ResourceVersion, pod.UID, pod.Labels[names.RevisionLabel] = d.Name+"-5c-b", "", "", "osm-v9-9-9"
	pod.Spec.Containers = slices.DeleteFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == names.SidecarContainer })
	pod.Spec.InitContainers = []corev1.Container{{Name: names.SidecarContainer, Image: "example/envoy:1", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}}
	must(c.t, c.client.Create(c.t.Context(), pod))
	pod.Status = corev1.PodStatus{Phase: corev1.PodFailed}
	must(c.t, c.client.Status().Update(c.t.Context(), pod))
}

// replacePod replaces the pod of a workload by the one of nextPod.
func (c *cluster) replacePod(d *appsv1.Deployment) {
	c.t.Helper()
	earlier, next := &corev1.Pod{}, &corev1.Pod{}
	must(c.t, c.client.Get(c.t.Context(), client.ObjectKey{Namespace: d.Namespace, Name: d.Name + "-5c-a"}, earlier))
	must(c.t, c.client.Get(c.t.Context(), client.ObjectKey{Namespace: d.Namespace, Name: d.Name + "-5c-b"}, next))
	next.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
		{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()},
	}}
	must(c.t, c.client.Status().Update(c.t.Context(), next))
	must(c.t, c.client.Delete(c.t.Context(), earlier, client.GracePeriodSeconds(0)))
	c.eventually(func() error {
		live := &appsv1.Deployment{}
		must(c.t, c.client.Get(c.t.Context(), client.ObjectKeyFromObject(d), live))
		live.Status = appsv1.DeploymentStatus{ObservedGeneration: live.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
		return c.client.Status().Update(c.t.Context(), live)
	})
}

// checkCopies checks that authority and settings are those of OSM, also after a change.
func (c *cluster) checkCopies() {
	c.t.Helper()
	source, copied := &corev1.Secret{}, &corev1.Secret{}
	must(c.t, c.client.Get(c.t.Context(), client.ObjectKey{Namespace: c.from, Name: names.CABundleSecret}, source))
	must(c.t, c.client.Get(c.t.Context(), client.ObjectKey{Namespace: own, Name: names.CABundleSecret}, copied))
	if diff := cmp.Diff(source.Data, copied.Data); diff != "" {
		c.t.Errorf("the authority is another one (-OSM +mesh):\n%s", diff)
	}
	config := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "config.openservicemesh.io/v1alpha2", "kind": "MeshConfig"}}
	config.SetNamespace(c.from)
	config.SetName(names.MeshConfig)
	must(c.t, c.client.Patch(c.t.Context(), config.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"traffic":{"enableEgress":false}}}`))))
	theirs := c.read(config)
	config.SetNamespace(own)
	c.eventually(func() error {
		ours := c.read(config)
		if diff := cmp.Diff(theirs.Object["spec"], ours.Object["spec"]); diff != "" {
			return fmt.Errorf("the settings differ (-OSM +mesh):\n%s", diff)
		}
		if ours.GetAnnotations()[names.TakesOverAnnotation] != c.from {
			return errors.New("the MeshConfig does not tell the injector about the takeover")
		}
		return nil
	})
}

// checkPolicyStatus waits until the controller runs with a flag.
func (c *cluster) checkPolicyStatus(flag string) {
	c.t.Helper()
	c.eventually(func() error {
		d := &appsv1.Deployment{}
		must(c.t, c.client.Get(c.t.Context(), client.ObjectKey{Namespace: own, Name: names.Controller}, d))
		if !slices.Contains(d.Spec.Template.Spec.Containers[0].Args, flag) {
			return fmt.Errorf("the controller does not run with %s", flag)
		}
		return nil
	})
}

// injectorRestarts writes the webhooks of OSM back, as its injector does at its start: with the metadata of the live object.
func (c *cluster) injectorRestarts(before map[string]any) {
	c.t.Helper()
	for _, name := range []string{"osm-webhook-osm", "aks-osm-webhook-osm"} {
		content := before["MutatingWebhookConfiguration /"+name].(map[string]any)
		c.eventually(func() error {
			live := &unstructured.Unstructured{}
			live.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind("MutatingWebhookConfiguration"))
			must(c.t, c.client.Get(c.t.Context(), client.ObjectKey{Name: name}, live))
			live.Object["webhooks"] = content["webhooks"]
			return c.client.Update(c.t.Context(), live)
		})
	}
}

// checkCompleted checks what a complete takeover leaves.
func (c *cluster) checkCompleted() {
	c.t.Helper()
	live := &admissionv1.MutatingWebhookConfiguration{}
	if err := c.client.Get(c.t.Context(), client.ObjectKey{Name: "aks-osm-webhook-osm"}, live); !apierrors.IsNotFound(err) {
		c.t.Errorf("the webhook configuration of the add-on still exists: %v", err)
	}
	must(c.t, c.client.Get(c.t.Context(), client.ObjectKey{Name: "osm-webhook-osm"}, live))
	if live.Annotations[takeover.ReplacedAnnotation] != "" {
		c.t.Error("the webhook configuration still has the record of OSM")
	}
	c.checkPolicyStatus("--write-status=true")
	c.eventually(func() error {
		definition := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}}
		definition.SetName("traffictargets.access.smi-spec.io")
		if label := c.read(definition).GetLabels()["app.kubernetes.io/managed-by"]; label != "osm-operator" {
			return fmt.Errorf("the definitions of SMI are managed by %q", label)
		}
		return nil
	})
}

// readSplits reads TrafficSplits in the version that the control plane reads and OSM does not serve.
func (c *cluster) readSplits() error {
	splits := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "split.smi-spec.io/v1alpha4", "kind": "TrafficSplitList"}}
	if err := c.client.List(c.t.Context(), splits); err != nil {
		return err
	}
	if len(splits.Items) == 0 {
		return errors.New("there are no TrafficSplits")
	}
	return nil
}
