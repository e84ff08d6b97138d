package inject

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// injection is what an earlier review of the same request has added to a pod, with the changes of admission steps since. The API server repeats a review if a
// later step changes the pod. LimitRanger, a webhook or a MutatingAdmissionPolicy may then have changed the injected parts too.
type injection struct {
	// uuid is the identifier of the sidecar; it is empty without an earlier review.
	uuid       string
	containers map[string]corev1.Container
	volumes    map[string]corev1.Volume
}

// earlierInjection returns the injected parts of a pod. It is empty for a copy, a restored backup and a forgery: the requester has written their sidecars.
func earlierInjection(pod *corev1.Pod) injection {
	uuid := earlierDocument(pod).Bootstrap.ProxyUUID
	if uuid == "" || pod.Labels[names.ProxyUUIDLabel] != uuid {
		return injection{}
	}
	requester := readSubmission(pod)
	found := injection{uuid: uuid, containers: map[string]corev1.Container{}, volumes: map[string]corev1.Volume{}}
	for _, c := range pod.Spec.InitContainers {
		if !isInjected(c.Name) {
			continue
		}
		if _, twice := found.containers[c.Name]; twice || requester.has("initContainers", c.Name) {
			return injection{}
		}
		found.containers[c.Name] = c
	}
	for _, v := range pod.Spec.Volumes {
		if slices.Contains(injectedVolumes(), v.Name) && !requester.has("volumes", v.Name) {
			found.volumes[v.Name] = v
		}
	}
	return found
}

// keepContainers returns the containers of this review with what other admission steps wrote on those of the earlier review.
func (i injection) keepContainers(pod *corev1.Pod, added []corev1.Container) []corev1.Container {
	out := slices.Clone(added)
	for at, c := range added {
		if present, found := i.containers[c.Name]; found {
			out[at] = keepContainer(c, present)
			out[at].Resources = i.resources(pod, c.Name, c.Resources)
		}
	}
	return out
}

// resources returns the resources of a container after the earlier review, or the given ones without it.
func (i injection) resources(pod *corev1.Pod, container string, desired corev1.ResourceRequirements) corev1.ResourceRequirements {
	if present, found := i.containers[container]; found {
		return fitResources(pod, present.Resources)
	}
	return desired
}

// keepVolumes replaces volumes of this review by those of the earlier review.
func (i injection) keepVolumes(list []corev1.Volume) {
	for at, v := range list {
		if present, found := i.volumes[v.Name]; found {
			list[at] = present
		}
	}
}
