package inject

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// refuse finds what would make the mesh fail for the pod, or let the pod escape it.
func refuse(pod *corev1.Pod) error {
	var problems []error
	for c := range containers(pod) {
		problems = append(problems, refuseUser(pod, c.Name, c.SecurityContext), refusePorts(c))
	}
	return errors.Join(problems...)
}

// RefuseEphemeral finds ephemeral containers, which are added to running pods, that would escape the mesh.
func RefuseEphemeral(pod *corev1.Pod) error {
	var problems []error
	for _, c := range pod.Spec.EphemeralContainers {
		problems = append(problems, refuseUser(pod, c.Name, c.SecurityContext), refuseMounts(c.Name, c.VolumeMounts))
	}
	return errors.Join(problems...)
}

// refuseMounts keeps applications from the sidecar's files, of which the token is a secret.
func refuseMounts(container string, mounts []corev1.VolumeMount) error {
	var problems []error
	for _, mount := range mounts {
		if slices.Contains(injectedVolumes(), mount.Name) {
			problems = append(problems, fmt.Errorf("the container %s mounts the volume %s, which belongs to the sidecar: "+
				"remove the mount or rename the volume", container, mount.Name))
		}
	}
	return errors.Join(problems...)
}

// refuseUser keeps applications from the user whose connections are not redirected.
func refuseUser(pod *corev1.Pod, container string, security *corev1.SecurityContext) error {
	var user *int64
	if pod.Spec.SecurityContext != nil {
		user = pod.Spec.SecurityContext.RunAsUser
	}
	if security != nil && security.RunAsUser != nil {
		user = security.RunAsUser
	}
	if user == nil || *user != names.ProxyUID {
		return nil
	}
	return fmt.Errorf("the container %s runs as user %d, which is the sidecar's: its connections would pass by the mesh; "+
		"give it another runAsUser", container, names.ProxyUID)
}

// refusePorts finds ports of the application that the sidecar listens on.
func refusePorts(c *corev1.Container) error {
	var problems []error
	for _, port := range c.Ports {
		if port.Protocol != corev1.ProtocolUDP && port.Protocol != corev1.ProtocolSCTP && reserved(port.ContainerPort) {
			problems = append(problems, fmt.Errorf("the container %s has the port %d, which the sidecar uses: "+
				"ports %d to %d and %d to %d are taken, choose another one", c.Name, port.ContainerPort,
				names.AdminPort, names.PrometheusPort, names.LivenessPort, lastExtraProbePort))
		}
	}
	return errors.Join(problems...)
}

func reserved(port int32) bool {
	return port >= names.AdminPort && port <= names.PrometheusPort || port >= names.LivenessPort && port <= lastExtraProbePort
}

// containers are the pod's containers that can have probes, ports and users: init containers first.
func containers(pod *corev1.Pod) iter.Seq[*corev1.Container] {
	return func(yield func(*corev1.Container) bool) {
		for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
			}
		}
	}
}
