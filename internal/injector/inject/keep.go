package inject

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// apiTokenPath is where the API server mounts the token for its API into every container. Injected containers do not use it.
const apiTokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"

// keepContainer returns the container as other admission steps left it, with what the mesh needs: what it runs, as which user, and with which files and ports.
func keepContainer(desired, present corev1.Container) corev1.Container {
	out := *present.DeepCopy()
	out.Command, out.Args, out.RestartPolicy = desired.Command, desired.Args, desired.RestartPolicy
	out.StartupProbe = desired.StartupProbe
	out.Env = append(slices.Clone(desired.Env), without(present.Env, desired.Env, func(e corev1.EnvVar) string { return e.Name })...)
	out.Ports = append(slices.Clone(desired.Ports), slices.DeleteFunc(slices.Clone(present.Ports), func(p corev1.ContainerPort) bool {
		return isReserved(p.ContainerPort)
	})...)
	out.VolumeMounts = keepMounts(desired.VolumeMounts, present.VolumeMounts)
	out.SecurityContext = keepSecurity(desired.SecurityContext, present.SecurityContext)
	return out
}

// keepMounts returns the desired mounts and those that other steps added, except the token for the API.
func keepMounts(desired, present []corev1.VolumeMount) []corev1.VolumeMount {
	added := without(present, desired, func(m corev1.VolumeMount) string { return m.MountPath })
	return append(slices.Clone(desired), slices.DeleteFunc(added, func(m corev1.VolumeMount) bool { return m.MountPath == apiTokenPath })...)
}

// keepSecurity returns the present security context with the desired user and capabilities. The redirection depends on them.
func keepSecurity(desired, present *corev1.SecurityContext) *corev1.SecurityContext {
	if present == nil || desired == nil {
		return desired
	}
	out := present.DeepCopy()
	out.RunAsUser, out.RunAsGroup, out.RunAsNonRoot = desired.RunAsUser, desired.RunAsGroup, desired.RunAsNonRoot
	out.Privileged, out.AllowPrivilegeEscalation = desired.Privileged, desired.AllowPrivilegeEscalation
	out.Capabilities = desired.Capabilities
	return out
}

// without returns the elements of a list whose keys no other list has.
func without[T any](list, other []T, key func(T) string) []T {
	return slices.DeleteFunc(slices.Clone(list), func(e T) bool {
		return slices.ContainsFunc(other, func(o T) bool { return key(o) == key(e) })
	})
}
