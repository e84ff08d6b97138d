package components

import (
	"context"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
)

// pendingRollout describes the rollout of the control plane that has not succeeded. It is empty if there is none.
func (r *Reconciler) pendingRollout(ctx context.Context, mesh *v1alpha1.Mesh) (string, error) {
	revisions, err := r.Revisions(ctx, mesh.Name)
	if err != nil {
		return "", err
	}
	return describeRollout(mesh, revisions, r.Desired(mesh).Version), nil
}

// describeRollout describes the rollout of the desired version, unless that version is verified and the only one that runs.
func describeRollout(mesh *v1alpha1.Mesh, revisions []v1alpha1.MeshRevision, version string) string {
	desired, done := desired.RevisionName(mesh.Name, version), false
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
	i := slices.IndexFunc(c.objects, isDeployment)
	if rollout == "" || i < 0 {
		return nil
	}
	deployment := c.objects[i]
	live, err := r.readLive(ctx, referenceOf(deployment))
	if err != nil || live == nil || !component.HasAvailablePods(live) || slices.Equal(imagesOf(live), imagesOf(deployment)) {
		return err
	}
	references := inventoryOf(mesh, c.Name())
	if !slices.Contains(references, referenceOf(deployment)) {
		references = append(references, referenceOf(deployment))
	}
	for _, reference := range references {
		object, err := r.readLive(ctx, reference)
		if err != nil {
			return err
		}
		if object != nil && isWorkload(object) {
			c.kept = append(c.kept, object)
		}
	}
	c.objects, c.awaited = slices.DeleteFunc(c.objects, isWorkload), rollout
	return nil
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
	live := &unstructured.Unstructured{}
	live.SetAPIVersion(reference.APIVersion)
	live.SetKind(reference.Kind)
	err := r.Objects.Get(ctx, client.ObjectKey{Namespace: reference.Namespace, Name: reference.Name}, live)
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
