package inject

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Warnings returns sentences for the creator of an injected pod: what will not work, and what is not protected.
func Warnings(pod *corev1.Pod, ns Namespace, c Config) []string {
	var warnings []string
	const enforce = "pod-security.kubernetes.io/enforce"
	if level := ns.Labels[enforce]; level == "baseline" || level == "restricted" {
		warnings = append(warnings, fmt.Sprintf("namespace %s has the label %s=%s, which forbids the capability NET_ADMIN that the init container %s needs: "+
			"the pod will be rejected unless the level is privileged", ns.Name, enforce, level, names.InitContainer))
	}
	for _, annotation := range Exclusions(pod) {
		warnings = append(warnings, fmt.Sprintf("the annotation %s=%s makes traffic bypass the mesh, without its policies and encryption", annotation, pod.Annotations[annotation]))
	}
	warnings = append(warnings, destinationsWarnings(pod, ns, c)...)
	warnings = append(warnings, classWarnings(pod, ns, c)...)
	if policy := pod.Spec.DNSPolicy; policy == corev1.DNSDefault || policy == corev1.DNSNone {
		warnings = append(warnings, fmt.Sprintf("the pod has the dnsPolicy %s: its sidecar resolves the control plane by a name of the cluster's DNS, "+
			"and the pod will not start unless its name servers resolve that name; use ClusterFirst", policy))
	}
	if pod.Spec.ShareProcessNamespace != nil && *pod.Spec.ShareProcessNamespace {
		warnings = append(warnings, "the pod has shareProcessNamespace, so a container running as root can read the sidecar's token and keys: "+
			"remove it unless all containers are trusted as much as the sidecar")
	}
	for c := range containers(pod) {
		if c.Name != names.InitContainer {
			warnings = append(warnings, networkWarnings(c.Name, c.SecurityContext)...)
		}
	}
	return warnings
}

// WarnEphemeral returns the Warnings for ephemeral containers of a running pod.
func WarnEphemeral(pod *corev1.Pod) []string {
	var warnings []string
	for _, c := range pod.Spec.EphemeralContainers {
		warnings = append(warnings, networkWarnings(c.Name, c.SecurityContext)...)
		if names.IsSlot(c.TargetContainerName) {
			warnings = append(warnings, fmt.Sprintf("the container %s shares the processes of %s, so as root it can read the sidecar's token and keys: "+
				"remove it when you no longer need it, by deleting the pod", c.Name, c.TargetContainerName))
		}
	}
	return warnings
}

// Exclusions returns the annotations that exclude some of the pod's traffic from its sidecar, in a fixed order.
func Exclusions(pod *corev1.Pod) []string {
	return slices.DeleteFunc([]string{
		names.InboundPortExclusionAnnotation, names.OutboundPortExclusionAnnotation,
		names.OutboundIPRangeExclusionAnnotation, names.OutboundIPRangeInclusionAnnotation,
	}, func(annotation string) bool { return pod.Annotations[annotation] == "" })
}

func networkWarnings(container string, security *corev1.SecurityContext) []string {
	var warnings []string
	switch {
	case canChangeNetwork(security):
		warnings = append(warnings, fmt.Sprintf("the container %s can change the pod's network and bypass the mesh: "+
			"remove NET_ADMIN and privileged unless it needs them", container))
	case adds(security, "SETUID"):
		warnings = append(warnings, fmt.Sprintf("the container %s can run as the user of the sidecar, whose outbound traffic is not redirected: "+
			"remove SETUID unless it needs it", container))
	}
	return warnings
}

func canChangeNetwork(security *corev1.SecurityContext) bool {
	isPrivileged := security != nil && ptr.Deref(security.Privileged, false)
	return isPrivileged || adds(security, "NET_ADMIN") || adds(security, "ALL")
}

// adds reports whether a container declares a capability, which both names select.
func adds(security *corev1.SecurityContext, capability corev1.Capability) bool {
	return security != nil && security.Capabilities != nil && slices.ContainsFunc(security.Capabilities.Add, func(c corev1.Capability) bool {
		return c == capability || c == "CAP_"+capability
	})
}

// validate rejects pods that would not work in the mesh or that would bypass it.
func validate(pod *corev1.Pod) error {
	var problems []error
	for c := range containers(pod) {
		problems = append(problems, validateUser(pod, c.Name, c.SecurityContext), validatePorts(c))
	}
	return errors.Join(problems...)
}

// ValidateEphemeral rejects ephemeral containers of a running pod that would bypass the mesh or pass for a part of it.
func ValidateEphemeral(pod *corev1.Pod) error {
	var problems []error
	for _, c := range pod.Spec.EphemeralContainers {
		problems = append(problems, validateName(c.Name), validateUser(pod, c.Name, c.SecurityContext), validateMounts(c.Name, c.VolumeMounts))
	}
	return errors.Join(problems...)
}

// validateMounts rejects mounts of the sidecar's volumes, which include its token.
func validateMounts(container string, mounts []corev1.VolumeMount) error {
	var problems []error
	for _, mount := range mounts {
		if slices.Contains(injectedVolumes(), mount.Name) {
			problems = append(problems, fmt.Errorf("the container %s mounts the volume %s, which belongs to the sidecar: "+
				"remove the mount or rename the volume", container, mount.Name))
		}
	}
	return errors.Join(problems...)
}

// validateUser rejects the sidecar's user, whose connections are not redirected.
func validateUser(pod *corev1.Pod, container string, security *corev1.SecurityContext) error {
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
	return fmt.Errorf("the container %s runs as user %d, which is the sidecar's: its connections would bypass the mesh; "+
		"set another runAsUser", container, names.ProxyUID)
}

// validatePorts rejects container ports that the sidecar listens on.
func validatePorts(c *corev1.Container) error {
	var problems []error
	for _, port := range c.Ports {
		if port.Protocol != corev1.ProtocolUDP && port.Protocol != corev1.ProtocolSCTP && isReserved(port.ContainerPort) {
			problems = append(problems, fmt.Errorf("the container %s has the port %d, which the sidecar uses: "+
				"ports %d to %d and %d to %d are taken, choose another one", c.Name, port.ContainerPort,
				names.AdminPort, names.PrometheusPort, names.LivenessPort, lastExtraProbePort))
		}
	}
	return errors.Join(problems...)
}

func isReserved(port int32) bool {
	return port >= names.AdminPort && port <= names.PrometheusPort || port >= names.LivenessPort && port <= lastExtraProbePort
}

// containers iterates over the init containers and then the application containers of a pod.
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
