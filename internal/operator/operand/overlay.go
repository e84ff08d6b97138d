package operand

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"
)

// OverlayError is returned for an overlay that does not fit its Deployment. Only a change of the overlay or of the version can help.
type OverlayError struct {
	// Deployment is the name of the Deployment.
	Deployment string
	// Problem is what is wrong with the overlay.
	Problem string
}

// Error implements error.
func (e *OverlayError) Error() string {
	return fmt.Sprintf("the overlay of the Deployment %s cannot be applied: %s", e.Deployment, e.Problem)
}

// Overlay merges an overlay, which is a strategic merge patch of the pod template, into a rendered Deployment. It changes no image, identity, label
// or annotation that the operator sets, because upgrades and gates rely on them. An empty overlay changes nothing.
func Overlay(deployment *unstructured.Unstructured, overlay []byte) error {
	if len(overlay) == 0 {
		return nil
	}
	template, _, err := unstructured.NestedMap(deployment.Object, "spec", "template")
	if err != nil {
		return err
	}
	fail := func(problem string) error { return &OverlayError{Deployment: deployment.GetName(), Problem: problem} }
	var rendered, patch corev1.PodTemplateSpec
	if err := roundTrip(template, &rendered); err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(overlay, &patch); err != nil {
		return fail("it is not a patch of a pod template: " + err.Error())
	}
	if problem := overlayProblem(rendered, patch); problem != "" {
		return fail(problem)
	}
	var changes map[string]any
	if err := json.Unmarshal(overlay, &changes); err != nil {
		return fail(err.Error())
	}
	merged, err := strategicpatch.StrategicMergeMapPatch(template, changes, corev1.PodTemplateSpec{})
	if err != nil {
		return fail(err.Error())
	}
	var result corev1.PodTemplateSpec
	if err := roundTrip(merged, &result); err != nil {
		return fail(err.Error())
	}
	if problem := removalProblem(rendered, result); problem != "" {
		return fail(problem)
	}
	return unstructured.SetNestedMap(deployment.Object, merged, "spec", "template")
}

// removalProblem returns what of the operator a merged template lacks, because the overlay has null for it; empty for nothing.
func removalProblem(rendered, merged corev1.PodTemplateSpec) string {
	if key := lostKey(rendered.Labels, merged.Labels); key != "" {
		return "the operator sets the label " + key + " itself"
	}
	if key := lostKey(rendered.Annotations, merged.Annotations); key != "" {
		return "the operator sets the annotation " + key + " itself"
	}
	if merged.Spec.ServiceAccountName != rendered.Spec.ServiceAccountName {
		return identityProblem
	}
	for _, list := range []struct{ rendered, merged []corev1.Container }{
		{rendered.Spec.Containers, merged.Spec.Containers}, {rendered.Spec.InitContainers, merged.Spec.InitContainers},
	} {
		for _, container := range list.rendered {
			i := slices.IndexFunc(list.merged, func(c corev1.Container) bool { return c.Name == container.Name })
			if i < 0 {
				return "an overlay cannot remove the container " + container.Name
			}
			if list.merged[i].Image != container.Image {
				return imageProblem(container.Name)
			}
		}
	}
	return ""
}

// identityProblem is why an overlay cannot change the ServiceAccount.
const identityProblem = "spec.serviceAccountName belongs to the operator, because it is the identity of the pods"

// imageProblem is why an overlay cannot change the image of a container.
func imageProblem(container string) string {
	return "the container " + container + " has an image: use the fields of the Mesh for images"
}

// overlayProblem returns why an overlay must not be merged; empty if it may.
func overlayProblem(rendered, patch corev1.PodTemplateSpec) string {
	metadata := metav1.ObjectMeta{Labels: patch.Labels, Annotations: patch.Annotations}
	switch {
	case !equality.Semantic.DeepEqual(metadata, patch.ObjectMeta):
		return "metadata may have labels and annotations only"
	case patch.Spec.ServiceAccountName != "" || patch.Spec.DeprecatedServiceAccount != "":
		return identityProblem
	}
	if key := changedKey(rendered.Labels, patch.Labels); key != "" {
		return "the operator sets the label " + key + " itself"
	}
	if key := changedKey(rendered.Annotations, patch.Annotations); key != "" {
		return "the operator sets the annotation " + key + " itself"
	}
	for _, volume := range patch.Spec.Volumes {
		if volume.Image != nil {
			return "the volume " + volume.Name + " has an image, which no field of the Mesh permits"
		}
	}
	return containerProblem(rendered, patch)
}

// containerProblem permits changes of existing containers, except those of their images.
func containerProblem(rendered, patch corev1.PodTemplateSpec) string {
	if len(patch.Spec.EphemeralContainers) > 0 {
		return "a pod template has no ephemeral containers"
	}
	for _, list := range []struct{ known, changed []corev1.Container }{
		{rendered.Spec.Containers, patch.Spec.Containers}, {rendered.Spec.InitContainers, patch.Spec.InitContainers},
	} {
		for _, container := range list.changed {
			if container.Image != "" {
				return imageProblem(container.Name)
			}
			if !slices.ContainsFunc(list.known, func(c corev1.Container) bool { return c.Name == container.Name }) {
				return fmt.Sprintf("the pods have no container %q: an overlay changes containers and adds none", container.Name)
			}
		}
	}
	return ""
}

// changedKey returns the first key whose value a patch changes; empty for none.
func changedKey(rendered, patch map[string]string) string {
	for _, key := range slices.Sorted(maps.Keys(patch)) {
		if value, set := rendered[key]; set && value != patch[key] {
			return key
		}
	}
	return ""
}

// lostKey returns the first key whose value another map does not have; empty for none.
func lostKey(rendered, merged map[string]string) string {
	for _, key := range slices.Sorted(maps.Keys(rendered)) {
		if value, set := merged[key]; !set || value != rendered[key] {
			return key
		}
	}
	return ""
}
