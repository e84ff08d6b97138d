package components

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
)

// describeRollout describes the rollout of the desired version. It is empty if its desired revision is verified and the only one that runs.
func describeRollout(mesh *v1alpha1.Mesh, revisions []v1alpha1.MeshRevision, desired, version string) string {
	done := false
	canary := false
	for i := range revisions {
		role := revisions[i].Spec.Role
		canary = canary || observe.RunsCanary(role)
		if revisions[i].Name == desired {
			done = revisions[i].Status.VerificationTime != nil && (role == v1alpha1.RoleActive || role == "")
		}
	}
	if done && !canary && !meta.IsStatusConditionTrue(mesh.Status.Conditions, v1alpha1.ConditionUpgrading) {
		return ""
	}
	return fmt.Sprintf("version %s of the control plane, which is not verified yet (see the condition %s)", version, v1alpha1.ConditionUpgrading)
}

// awaitRollout keeps the pods of a component with a new image as they are until the control plane is upgraded. A gateway gets a new Envoy only
// after the sidecars have it, and Prometheus, whose metrics the gates read, is not restarted meanwhile. Pods that do not serve wait for nothing.
func (r *Reconciler) awaitRollout(ctx context.Context, mesh *v1alpha1.Mesh, c *rendering, rollout string) error {
	if rollout == "" {
		return nil
	}
	waiting, err := r.waitingDeployments(ctx, c.objects)
	if err != nil || len(waiting) == 0 {
		return err
	}
	for _, reference := range union(inventoryOf(mesh, c.Name()), waiting) {
		object, err := r.readLive(ctx, reference)
		if err != nil {
			return err
		}
		// A Deployment that is not rendered any more is deleted, and one that does not wait is applied.
		if object != nil && isWorkload(object) && (!isDeployment(object) || slices.Contains(waiting, reference)) {
			c.kept = append(c.kept, object)
		}
	}
	c.objects = slices.DeleteFunc(c.objects, func(object *unstructured.Unstructured) bool {
		return isWorkload(object) && (!isDeployment(object) || slices.Contains(waiting, referenceOf(object)))
	})
	c.awaited = rollout
	return nil
}

// describeError returns the reason and message of a component without objects. One that the control plane does not support yet waits for the upgrade.
func (c *rendering) describeError() (reason, message string) {
	var unsupported *component.UnsupportedError
	if errors.As(c.err, &unsupported) && c.rollout != "" {
		return v1alpha1.ReasonProgressing, fmt.Sprintf("version %s of the control plane does not support it, so it waits for %s", unsupported.Version, c.rollout)
	}
	return v1alpha1.ReasonApplyFailed, c.err.Error()
}

// waitingDeployments are the Deployments that serve with other images than those that are rendered.
func (r *Reconciler) waitingDeployments(ctx context.Context, objects []*unstructured.Unstructured) ([]v1alpha1.ObjectReference, error) {
	var waiting []v1alpha1.ObjectReference
	for _, object := range objects {
		if !isDeployment(object) {
			continue
		}
		live, err := r.readLive(ctx, referenceOf(object))
		if err != nil {
			return nil, err
		}
		if live != nil && component.HasAvailablePods(live) && !slices.Equal(imagesOf(live), imagesOf(object)) {
			waiting = append(waiting, referenceOf(object))
		}
	}
	return waiting, nil
}

// isWorkload reports whether an object belongs to the pods of a component: its Deployment, and the ConfigMaps that the pods read.
func isWorkload(object *unstructured.Unstructured) bool {
	return isDeployment(object) || object.GetKind() == "ConfigMap" && object.GetAPIVersion() == "v1"
}

func isDeployment(object *unstructured.Unstructured) bool {
	return object.GetKind() == "Deployment" && object.GetAPIVersion() == "apps/v1"
}

// readLive reads an object from the cache. It returns nil if the object does not exist.
func (r *Reconciler) readLive(ctx context.Context, reference v1alpha1.ObjectReference) (*unstructured.Unstructured, error) {
	live, err := r.get(ctx, reference)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s cannot be read: %w", reference.Kind, reference.Name, err)
	}
	return live, nil
}

// imagesOf returns the images of a Deployment, sorted.
func imagesOf(deployment *unstructured.Unstructured) []string {
	images := map[string]bool{}
	for _, field := range []string{"initContainers", "containers"} {
		list, _, _ := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", field)
		for _, c := range list {
			container, _ := c.(map[string]any)
			image, _ := container["image"].(string)
			images[image] = true
		}
	}
	return slices.Sorted(maps.Keys(images))
}
