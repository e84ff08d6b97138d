package inject

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/openservicemesh/osm-operator/internal/mesh/workload"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// hotRestartOption turns off what slots need. A sidecar without slots has it.
const hotRestartOption = "--disable-hot-restart"

// hasSlots reports whether a pod gets two slots. The operator never changes those of a pod whose restarts are counted, so two of them gain nothing there.
func (c Config) hasSlots(pod *corev1.Pod) bool {
	return c.InPlace && workload.CountedRestarts(pod) == ""
}

// addSlots replaces the sidecar by two slots and the container that waits for one of them. The slots have equal resources, because each of them may serve.
// They have no startup probe: the kubelet would call the pod unready while a restarted slot has not passed it, although the other one serves.
func addSlots(list []corev1.Container, initImage string, drainBound time.Duration) []corev1.Container {
	at := slices.IndexFunc(list, func(c corev1.Container) bool { return c.Name == names.SidecarContainer })
	first := slot(list[at], names.SidecarContainer, drainBound)
	second := slot(list[at], names.StandbyContainer, drainBound)
	second.Ports = nil // a pod declares a port once
	list[0].VolumeMounts = append(list[0].VolumeMounts, corev1.VolumeMount{Name: names.LauncherVolume, MountPath: names.LauncherDir})
	return slices.Replace(list, at, at+1, first, second, waitContainer(initImage, first.Resources))
}

// slot returns a sidecar that its launcher starts.
func slot(sidecar corev1.Container, name string, drainBound time.Duration) corev1.Container {
	c := *sidecar.DeepCopy()
	arguments := slices.DeleteFunc(c.Args, func(argument string) bool { return argument == hotRestartOption })
	options := []string{"--" + names.LauncherSlotFlag, name}
	if drainBound > 0 {
		options = append(options, "--"+names.LauncherDrainFlag, drainBound.String())
	}
	c.Args = slices.Concat(options, []string{"--"}, c.Command, arguments)
	c.Name, c.Command, c.StartupProbe = name, []string{names.LauncherDir + "/" + names.LauncherFile}, nil
	c.VolumeMounts = append(c.VolumeMounts,
		corev1.VolumeMount{Name: names.LauncherVolume, MountPath: names.LauncherDir, ReadOnly: true},
		corev1.VolumeMount{Name: names.SlotsVolume, MountPath: names.SlotsDir},
		corev1.VolumeMount{Name: names.SlotsVolume, MountPath: names.SharedMemoryDir},
	)
	return c
}

// waitContainer ends once a slot serves. It has the resources of a slot, so that it fits wherever the slots fit.
func waitContainer(image string, resources corev1.ResourceRequirements) corev1.Container {
	return withoutPrivileges(corev1.Container{
		Name:                     names.WaitContainer,
		Image:                    image,
		ImagePullPolicy:          corev1.PullIfNotPresent,
		Command:                  []string{"/" + names.LauncherFile},
		Args:                     []string{names.LauncherWait},
		Resources:                *resources.DeepCopy(),
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	})
}

// addSlotVolumes adds volumes on the disk of the node, so that the roles of the slots survive its restart.
func addSlotVolumes(pod *corev1.Pod) {
	for _, volume := range []struct{ name, size string }{{names.LauncherVolume, "16Mi"}, {names.SlotsVolume, "1Mi"}} {
		size := resource.MustParse(volume.size)
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: volume.name, VolumeSource: corev1.VolumeSource{
			EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &size},
		}})
	}
}

// isInjected reports whether a container has the name of one that injection adds.
func isInjected(container string) bool {
	return names.IsSlot(container) || container == names.InitContainer || container == names.WaitContainer
}
