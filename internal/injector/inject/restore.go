package inject

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/osm-operator/internal/injector/inject/initconfig"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

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
			before := findRecorded(earlier, kind, c.Name, uint16(hook.Port.IntVal))
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
	if probe == nil || c.Name == names.SidecarContainer || c.Name == healthcheckContainer {
		return 0, false
	}
	var port intstr.IntOrString
	switch {
	case probe.HTTPGet != nil && probe.HTTPGet.Host == "":
		port = probe.HTTPGet.Port
	case probe.GRPC != nil:
		port = intstr.FromInt32(probe.GRPC.Port)
	}
	return uint16(port.IntVal), port.Type == intstr.Int && isReserved(port.IntVal)
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
