package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// pollInterval is the time between two checks.
const pollInterval = 200 * time.Millisecond

// Until waits until check returns done. check also describes what it observed, which the timeout error repeats. An
// error of check does not end the wait, unless it is a PermanentError.
func Until(ctx context.Context, limit time.Duration, what string, check func(context.Context) (done bool, observed string, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	last := "nothing observed yet"
	for {
		done, observed, err := check(ctx)
		if err == nil && done {
			return nil
		}
		var permanent *PermanentError
		if errors.As(err, &permanent) {
			return fmt.Errorf("%s: %w", what, err)
		}
		if err != nil {
			observed = err.Error()
		}
		// A check that was cut short by the timeout has observed nothing.
		if observed != "" && ctx.Err() == nil {
			last = observed
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: timed out after %s; last observed: %s", what, limit, last)
		case <-time.After(pollInterval):
		}
	}
}

// PermanentError ends a wait, because retrying cannot succeed.
type PermanentError struct{ Reason string }

// Error implements error.
func (e *PermanentError) Error() string { return e.Reason }

// MeshReady waits until a Mesh is Ready.
func (c *Cluster) MeshReady(ctx context.Context, name string, limit time.Duration) error {
	return Until(ctx, limit, "mesh "+name+" ready", func(ctx context.Context) (bool, string, error) {
		var mesh operatorv1alpha1.Mesh
		if err := c.Client.Get(ctx, client.ObjectKey{Name: name}, &mesh); err != nil {
			return false, "", err
		}
		ready := meta.FindStatusCondition(mesh.Status.Conditions, operatorv1alpha1.ConditionReady)
		if ready == nil {
			return false, "no Ready condition", nil
		}
		current := ready.ObservedGeneration == mesh.Generation
		return current && string(ready.Status) == "True", fmt.Sprintf("Ready=%s %s: %s", ready.Status, ready.Reason, ready.Message), nil
	})
}

// Available waits until all replicas of every Deployment and StatefulSet of the namespaces are updated and ready.
func (c *Cluster) Available(ctx context.Context, limit time.Duration, namespaces ...string) error {
	for _, namespace := range namespaces {
		err := Until(ctx, limit, "workloads in "+namespace+" ready", func(ctx context.Context) (bool, string, error) {
			return c.available(ctx, namespace)
		})
		if err != nil {
			return fmt.Errorf("%w\n%s", err, c.unreadyContainers(ctx, namespace))
		}
	}
	return nil
}

func (c *Cluster) available(ctx context.Context, namespace string) (bool, string, error) {
	var deployments appsv1.DeploymentList
	var sets appsv1.StatefulSetList
	if err := c.Client.List(ctx, &deployments, client.InNamespace(namespace)); err != nil {
		return false, "", err
	}
	if err := c.Client.List(ctx, &sets, client.InNamespace(namespace)); err != nil {
		return false, "", err
	}
	for _, d := range deployments.Items {
		s := d.Status
		if s.ObservedGeneration != d.Generation || s.UpdatedReplicas != *d.Spec.Replicas || s.ReadyReplicas != *d.Spec.Replicas ||
			s.Replicas != *d.Spec.Replicas {
			return false, fmt.Sprintf("deployment %s: %d of %d ready, %d updated", d.Name, s.ReadyReplicas, *d.Spec.Replicas, s.UpdatedReplicas), nil
		}
	}
	for _, set := range sets.Items {
		if s := set.Status; s.ObservedGeneration != set.Generation || s.ReadyReplicas != *set.Spec.Replicas || s.UpdatedReplicas != *set.Spec.Replicas {
			return false, fmt.Sprintf("statefulset %s: %d of %d ready", set.Name, s.ReadyReplicas, *set.Spec.Replicas), nil
		}
	}
	return true, "", nil
}

// unreadyContainers describes the containers that are not ready, for error messages.
func (c *Cluster) unreadyContainers(ctx context.Context, namespace string) string {
	var pods corev1.PodList
	if err := c.Client.List(context.WithoutCancel(ctx), &pods, client.InNamespace(namespace)); err != nil {
		return err.Error()
	}
	text := ""
	for _, pod := range pods.Items {
		for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
			if !status.Ready {
				text += fmt.Sprintf("pod %s container %s: %s\n", pod.Name, status.Name, describe(status.State))
			}
		}
	}
	return text
}

func describe(state corev1.ContainerState) string {
	switch {
	case state.Waiting != nil:
		return fmt.Sprintf("waiting: %s %s", state.Waiting.Reason, state.Waiting.Message)
	case state.Terminated != nil:
		return fmt.Sprintf("terminated: %s, exit code %d %s", state.Terminated.Reason, state.Terminated.ExitCode, state.Terminated.Message)
	default:
		return "running, not ready"
	}
}

// Conditions formats conditions as text.
func Conditions(conditions []metav1.Condition) string {
	text := ""
	for _, c := range conditions {
		text += fmt.Sprintf("%s=%s %s: %s; ", c.Type, c.Status, c.Reason, c.Message)
	}
	return text
}

// RenewPods restarts Deployments of namespaces whose pods run another build of an image tag than the last one, and
// waits until the new pods are ready.
func (c *Cluster) RenewPods(ctx context.Context, namespaces ...string) error {
	if IsCurrent() {
		return nil
	}
	built, err := c.builtDigests()
	if err != nil {
		return err
	}
	for _, namespace := range namespaces {
		outdated, err := c.outdatedPods(ctx, namespace, built)
		if err != nil {
			return err
		}
		for i := range outdated {
			if err := client.IgnoreNotFound(c.Client.Delete(ctx, &outdated[i])); err != nil {
				return err
			}
		}
		err = Until(ctx, 3*time.Minute, "pods of "+namespace+" renewed", func(ctx context.Context) (bool, string, error) {
			left, err := c.outdatedPods(ctx, namespace, built)
			if err != nil || len(left) == 0 {
				return err == nil, "", err
			}
			return false, "pod " + left[0].Name + " still exists", nil
		})
		if err != nil {
			return err
		}
	}
	return c.Available(ctx, 3*time.Minute, namespaces...)
}

// outdatedPods returns the pods of a namespace that run an old image.
func (c *Cluster) outdatedPods(ctx context.Context, namespace string, built map[string]string) ([]corev1.Pod, error) {
	var pods corev1.PodList
	err := c.Client.List(ctx, &pods, client.InNamespace(namespace))
	return slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return !isOutdated(&pod, built) }), err
}

// isOutdated reports whether a pod runs an image of the project that has been rebuilt since.
func isOutdated(pod *corev1.Pod, built map[string]string) bool {
	for _, status := range pod.Status.ContainerStatuses {
		for reference, digest := range built {
			if reference == status.Image && status.ImageID != "" && !strings.HasSuffix(status.ImageID, digest) {
				return true
			}
		}
	}
	return false
}

// builtDigests maps the references of built images to their digests.
func (c *Cluster) builtDigests() (map[string]string, error) {
	data, err := os.ReadFile(c.Repository.Path("bin", "images", "images.lock"))
	if err != nil {
		return nil, err
	}
	var list map[string]struct{ Reference, Digest string }
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, errors.Join(errors.New("bin/images/images.lock is not a valid list of images"), err)
	}
	digests := map[string]string{}
	for _, image := range list {
		digests[image.Reference] = image.Digest
	}
	return digests, nil
}
