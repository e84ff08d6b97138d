package revision

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// workload is one Deployment of a control plane with its pods.
type workload struct {
	name string
	// deployment is nil when it does not exist.
	deployment *appsv1.Deployment
	pods       []corev1.Pod
	now        time.Time
	// version and revision are those of the MeshRevision. The live Deployment may still have others.
	version, revision string
	// autoscaling is nil for a fixed number of pods.
	autoscaling *v1alpha1.AutoscalingSpec
}

// workload reads a Deployment and its pods.
func (r *Reconciler) workload(ctx context.Context, revision *v1alpha1.MeshRevision, name string) (workload, error) {
	namespace := revision.Spec.Namespace
	w := workload{
		name: name, deployment: &appsv1.Deployment{}, now: r.Now(),
		version: revision.Spec.Version, revision: revision.Name, autoscaling: workloadSpec(revision, name).Autoscaling,
	}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, w.deployment)
	if apierrors.IsNotFound(err) {
		w.deployment = nil
		return w, nil
	}
	if err != nil {
		return w, fmt.Errorf("the Deployment %s/%s cannot be read: %w", namespace, name, err)
	}
	var pods corev1.PodList
	if err := r.Client.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{names.AppLabel: name}); err != nil {
		return w, fmt.Errorf("the pods of %s/%s cannot be listed: %w", namespace, name, err)
	}
	w.pods = pods.Items
	return w, nil
}

// count counts the desired pods and those that are up to date and ready. A Deployment does not report how many ready pods are outdated,
// so as many as possible are taken to be outdated.
func (w workload) count() v1alpha1.WorkloadStatus {
	if w.deployment == nil {
		return v1alpha1.WorkloadStatus{}
	}
	count := v1alpha1.WorkloadStatus{Replicas: ptr.Deref(w.deployment.Spec.Replicas, 1)}
	status := w.deployment.Status
	if status.ObservedGeneration >= w.deployment.Generation && w.isDeployed() {
		outdated := status.Replicas - status.UpdatedReplicas
		count.Ready = min(max(status.ReadyReplicas-outdated, 0), count.Replicas)
	}
	return count
}

// isReady reports whether enough pods are up to date and ready, and no outdated pod is left.
func (w workload) isReady() bool {
	if w.deployment == nil {
		return false
	}
	count, status := w.count(), w.deployment.Status
	required := w.requiredReplicas(count.Replicas)
	if count.Ready < required || status.AvailableReplicas < required || status.Replicas != status.UpdatedReplicas || w.outdatedPods() > 0 {
		return false
	}
	return w.autoscaling != nil || status.Replicas == count.Replicas
}

// isDeployed reports whether the Deployment has the pod template of the revision.
func (w workload) isDeployed() bool {
	return operand.IsOf(w.deployment.Spec.Template.Labels, w.version, w.revision)
}

// deployedVersion is the version of the Deployment's pod template, and deployedRevision its MeshRevision.
func (w workload) deployedVersion() string {
	return w.deployment.Spec.Template.Labels[names.VersionLabel]
}

func (w workload) deployedRevision() string {
	return w.deployment.Spec.Template.Labels[names.ControlPlaneRevisionLabel]
}

// outdatedPods counts pods of another revision, including terminating ones. A Deployment does not count the latter, but the API server
// keeps its connections to them: an outdated injector would inject outdated sidecars. A pod whose grace period has ended does not count,
// because on a lost node its object stays.
func (w workload) outdatedPods() int {
	n := 0
	for i := range w.pods {
		pod := &w.pods[i]
		ended := pod.DeletionTimestamp != nil && !w.now.Before(pod.DeletionTimestamp.Time)
		if !operand.AreOfOneRevision(pod.Labels, w.deployment.Spec.Template.Labels) && !ended {
			n++
		}
	}
	return n
}

// setInitialReplicas sets the replicas of an autoscaled Deployment that does not exist yet to its minimum. Otherwise it would start with
// one pod. The next reconciliation leaves the field to the autoscaler.
func (r *Reconciler) setInitialReplicas(ctx context.Context, revision *v1alpha1.MeshRevision, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		autoscaling := workloadSpec(revision, object.GetName()).Autoscaling
		if object.GetKind() != "Deployment" || autoscaling == nil {
			continue
		}
		err := r.Client.Get(ctx, client.ObjectKeyFromObject(object), &appsv1.Deployment{})
		switch {
		case apierrors.IsNotFound(err):
			if err := unstructured.SetNestedField(object.Object, int64(*autoscaling.MinReplicas), "spec", "replicas"); err != nil {
				return err
			}
		case err != nil:
			return err
		}
	}
	return nil
}

// workloadSpec returns the configuration of a Deployment of the control plane, by its name.
func workloadSpec(revision *v1alpha1.MeshRevision, name string) v1alpha1.WorkloadSpec {
	if names.Component(name) == names.Injector {
		return desired.Injector(revision.Spec.ControlPlane)
	}
	return desired.Controller(revision.Spec.ControlPlane)
}

// requiredReplicas is how many ready pods a workload needs: all desired ones, or the minimum of its autoscaler. Scaling up does not make
// a control plane unready.
func (w workload) requiredReplicas(replicas int32) int32 {
	if w.autoscaling == nil {
		return replicas
	}
	return min(replicas, ptr.Deref(w.autoscaling.MinReplicas, v1alpha1.DefaultReplicas))
}

// failures describes why pods are not ready. The text of a lasting failure does not change between retries, so that the status is not
// written again.
func (w workload) failures() []string {
	if w.deployment == nil {
		return nil
	}
	var found []string
	for i := range w.pods {
		pod := &w.pods[i]
		if pod.DeletionTimestamp != nil {
			continue
		}
		found = append(found, w.schedulingFailure(pod)...)
		for _, status := range pod.Status.ContainerStatuses {
			if text := w.containerFailure(status); text != "" {
				found = append(found, text)
			}
		}
	}
	if len(found) > 0 {
		return found
	}
	return w.deploymentFailure()
}

// schedulingFailure quotes the scheduler.
func (w workload) schedulingFailure(pod *corev1.Pod) []string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return []string{fmt.Sprintf("%s: no node can run the pod: %s", w.name, c.Message)}
		}
	}
	return nil
}

// containerFailure describes why a container does not run, or is empty.
func (w workload) containerFailure(status corev1.ContainerStatus) string {
	logs := fmt.Sprintf("kubectl logs -n %s deployment/%s --previous", w.deployment.Namespace, w.name)
	switch waiting := status.State.Waiting; {
	case waiting == nil:
	case waiting.Reason == "ErrImagePull", waiting.Reason == "ImagePullBackOff", waiting.Reason == "ErrImageNeverPull":
		return fmt.Sprintf("%s: the image %s cannot be pulled: check that it exists and that the nodes can pull it", w.name, status.Image)
	case waiting.Reason == "InvalidImageName":
		return fmt.Sprintf("%s: %q is not a valid image name: correct it in spec.controlPlane.images of the Mesh, or in the RELATED_IMAGE variables of the operator", w.name, status.Image)
	case waiting.Reason == "CreateContainerConfigError", waiting.Reason == "CreateContainerError", waiting.Reason == "RunContainerError":
		return fmt.Sprintf("%s: the container cannot be started: %s", w.name, waiting.Message)
	}
	if status.State.Terminated != nil || status.State.Waiting != nil && status.State.Waiting.Reason == "CrashLoopBackOff" {
		return fmt.Sprintf("%s: the container crashes repeatedly%s: run %s", w.name, exitCode(status), logs)
	}
	return ""
}

// exitCode is the last exit code of a container in brackets, or empty.
func exitCode(status corev1.ContainerStatus) string {
	for _, terminated := range []*corev1.ContainerStateTerminated{status.State.Terminated, status.LastTerminationState.Terminated} {
		if terminated != nil {
			return fmt.Sprintf(" (exit code %d)", terminated.ExitCode)
		}
	}
	return ""
}

// deploymentFailure quotes the Deployment, whose status has failures to create pods and the end of its progress deadline.
func (w workload) deploymentFailure() []string {
	for _, c := range w.deployment.Status.Conditions {
		switch {
		case c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue:
			return []string{fmt.Sprintf("%s: pods cannot be created: %s", w.name, c.Message)}
		case c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse:
			return []string{fmt.Sprintf("%s: the pods did not become ready in time: run kubectl describe pods -n %s -l app=%s", w.name, w.deployment.Namespace, w.name)}
		}
	}
	return nil
}
