package inject

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/injector/inject/initconfig"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// healthcheckContainer is the container that answers tcpSocket probes in pods injected by OSM.
const healthcheckContainer = "osm-healthcheck"

// removeInjection removes an earlier injection from the pod, which may be a copy or a restored backup, or may only
// pretend to have a sidecar. It modifies the given pod.
func removeInjection(pod *corev1.Pod) error {
	if err := restoreProbes(pod, earlierDocument(pod)); err != nil {
		return err
	}
	pod.Spec.InitContainers = slices.DeleteFunc(pod.Spec.InitContainers, func(c corev1.Container) bool {
		return c.Name == names.InitContainer || c.Name == names.SidecarContainer
	})
	if slices.ContainsFunc(pod.Spec.Containers, isOSMSidecar) {
		pod.Spec.Containers = slices.DeleteFunc(pod.Spec.Containers, func(c corev1.Container) bool {
			return isOSMSidecar(c) || c.Name == healthcheckContainer
		})
	}
	pod.Spec.Volumes = slices.DeleteFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
		return slices.Contains(injectedVolumes(), v.Name)
	})
	return validateNames(pod)
}

// isOSMSidecar recognizes the sidecar of OSM releases: a regular container with its bootstrap from a Secret.
func isOSMSidecar(c corev1.Container) bool {
	return c.Name == names.SidecarContainer && slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
		return m.Name == names.BootstrapVolume
	})
}

// earlierDocument returns the document of an earlier osm-init; it is empty without one, or if it is unreadable.
func earlierDocument(pod *corev1.Pod) initconfig.Document {
	for _, c := range pod.Spec.InitContainers {
		if c.Name == names.InitContainer {
			document, err := initconfig.Parse(c.Args)
			if err == nil {
				return document
			}
		}
	}
	return initconfig.Document{}
}

// validateNames rejects containers with the names of injected containers, and mounts of the sidecar's files.
func validateNames(pod *corev1.Pod) error {
	var problems []error
	if len(pod.Spec.Containers) == 0 {
		problems = append(problems, errors.New("the pod has no container besides the sidecar"))
	}
	for c := range containers(pod) {
		if c.Name == names.SidecarContainer || c.Name == names.InitContainer {
			problems = append(problems, fmt.Errorf("the container %s has a name that is reserved for the mesh: rename it", c.Name))
		}
		problems = append(problems, validateMounts(c.Name, c.VolumeMounts))
	}
	return errors.Join(problems...)
}
