package inject

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/osm-operator/internal/injector/inject/initconfig"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
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
		return isInjected(c.Name)
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

// osmBootstrapPrefix is the prefix of the name of the Secret with the bootstrap of a sidecar of OSM. The rest is the UUID of the sidecar.
const osmBootstrapPrefix = "envoy-bootstrap-config-"

// HasOSMSidecar reports whether an injector of OSM has just added its sidecar to a pod. A copy of such a pod has no label or another UUID than its Secret.
func HasOSMSidecar(pod *corev1.Pod) bool {
	uuid := pod.Labels[names.ProxyUUIDLabel]
	return uuid != "" && slices.ContainsFunc(pod.Spec.Containers, isOSMSidecar) && slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
		return v.Name == names.BootstrapVolume && v.Secret != nil && v.Secret.SecretName == osmBootstrapPrefix+uuid
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
		problems = append(problems, validateName(c.Name), validateMounts(c.Name, c.VolumeMounts))
	}
	return errors.Join(problems...)
}

// validateName rejects the name of a container that injection adds. Tools know the sidecars of a pod by their names.
func validateName(container string) error {
	if isInjected(container) {
		return fmt.Errorf("the container %s has a name that is reserved for the mesh: rename it", container)
	}
	return nil
}

// restoreProbes reverts redirectProbes of an earlier injection, from the document of its osm-init.
func restoreProbes(pod *corev1.Pod, earlier initconfig.Document) error {
	problems := []error{restoreHooks(pod, earlier)}
	for _, kind := range bootstrap.ProbeKinds() {
		for c := range containers(pod) {
			probe := *probeOf(c, kind)
			listenPort, isSidecarPort := sidecarPort(c, probe)
			if !isSidecarPort {
				continue
			}
			if !restoreProbe(probe, findRecorded(earlier, kind, c.Name, listenPort)) {
				problems = append(problems, notRestorableError(kind, "probe", c.Name, int32(listenPort)))
			}
		}
	}
	return errors.Join(problems...)
}

// restoreHooks is restoreProbes for hooks.
func restoreHooks(pod *corev1.Pod, earlier initconfig.Document) error {
	var problems []error
	for _, kind := range hookKinds() {
		for c := range containers(pod) {
			hook := httpHook(c, kind)
			if hook == nil || hook.Port.Type != intstr.Int || !isReserved(hook.Port.IntVal) {
				continue
			}
			before := findRecorded(earlier, kind, c.Name, uint16(hook.Port.IntVal)) //nolint:gosec // a reserved port
			if before == nil {
				problems = append(problems, notRestorableError(kind, "hook", c.Name, hook.Port.IntVal))
				continue
			}
			restoreRequest(hook, before)
		}
	}
	return errors.Join(problems...)
}

// errNotRestorable reports a probe or hook of an earlier injection whose original is unknown.
func notRestorableError(kind bootstrap.ProbeKind, what, container string, port int32) error {
	return fmt.Errorf("the %s %s of container %s points at port %d of an earlier sidecar, "+
		"and its original is not known: create the pod from its own manifest", kind, what, container, port)
}

// sidecarPort returns the port of the sidecar that a probe targets. Probes of the sidecar's own containers are left out.
func sidecarPort(c *corev1.Container, probe *corev1.Probe) (uint16, bool) {
	if probe == nil || names.IsSlot(c.Name) || c.Name == healthcheckContainer {
		return 0, false
	}
	var port intstr.IntOrString
	switch {
	case probe.HTTPGet != nil && probe.HTTPGet.Host == "":
		port = probe.HTTPGet.Port
	case probe.GRPC != nil:
		port = intstr.FromInt32(probe.GRPC.Port)
	}
	return uint16(port.IntVal), port.Type == intstr.Int && isReserved(port.IntVal) //nolint:gosec // used only if it is a reserved port
}

// findRecorded returns the record that an earlier injection made of a probe or hook.
func findRecorded(earlier initconfig.Document, kind bootstrap.ProbeKind, container string, listenPort uint16) *bootstrap.Probe {
	for _, p := range earlier.Bootstrap.Probes {
		if p.Kind == kind && p.Container == container && p.ListenPort == listenPort {
			return &p
		}
	}
	return nil
}

// restoreRequest reverts redirectRequest.
func restoreRequest(get *corev1.HTTPGetAction, before *bootstrap.Probe) {
	get.Path, get.Port = before.Path, intstr.FromInt32(int32(before.Port))
	if before.Handler == bootstrap.HTTPS {
		get.Scheme = corev1.URISchemeHTTPS
	}
}

func restoreProbe(probe *corev1.Probe, before *bootstrap.Probe) bool {
	if before == nil {
		return false
	}
	port := intstr.FromInt32(int32(before.Port))
	switch {
	case before.Handler == bootstrap.TCP:
		probe.HTTPGet, probe.TCPSocket = nil, &corev1.TCPSocketAction{Port: port}
	case probe.HTTPGet != nil && before.Path != "":
		restoreRequest(probe.HTTPGet, before)
	case probe.GRPC != nil:
		probe.GRPC.Port = port.IntVal
	default:
		return false
	}
	return true
}
