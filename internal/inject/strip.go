package inject

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/inject/initconfig"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// healthcheckContainer answered tcpSocket probes in pods that OSM injected.
const healthcheckContainer = "osm-healthcheck"

// strip takes an earlier injection out of the pod: of a pod that was copied or restored with its sidecar, or one that
// merely pretends to have one. It works on the pod it is given.
func strip(pod *corev1.Pod) error {
	if err := restoreProbes(pod, earlierDocument(pod)); err != nil {
		return err
	}
	pod.Spec.InitContainers = slices.DeleteFunc(pod.Spec.InitContainers, func(c corev1.Container) bool {
		return c.Name == names.InitContainer || c.Name == names.SidecarContainer
	})
	if slices.ContainsFunc(pod.Spec.Containers, injectedByOSM) {
		pod.Spec.Containers = slices.DeleteFunc(pod.Spec.Containers, func(c corev1.Container) bool {
			return injectedByOSM(c) || c.Name == healthcheckContainer
		})
	}
	pod.Spec.Volumes = slices.DeleteFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
		return slices.Contains(injectedVolumes(), v.Name)
	})
	return onlyOwnNames(pod)
}

// injectedByOSM recognises the sidecar of OSM itself, an ordinary container with its bootstrap from a Secret.
func injectedByOSM(c corev1.Container) bool {
	return c.Name == names.SidecarContainer && slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
		return m.Name == names.BootstrapVolume
	})
}

// earlierDocument is what the osm-init of an earlier injection was told; empty when there was none or it is unreadable.
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

// onlyOwnNames refuses what would be taken for a part of the sidecar, or would get at its files.
func onlyOwnNames(pod *corev1.Pod) error {
	var problems []error
	if len(pod.Spec.Containers) == 0 {
		problems = append(problems, errors.New("the pod has no container besides the sidecar"))
	}
	for c := range containers(pod) {
		if c.Name == names.SidecarContainer || c.Name == names.InitContainer {
			problems = append(problems, fmt.Errorf("the container %s has a name that the mesh uses for its own: rename it", c.Name))
		}
		problems = append(problems, refuseMounts(c.Name, c.VolumeMounts))
	}
	return errors.Join(problems...)
}
