package inject

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/osm-operator/internal/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// Ports of the sidecar for probes that cannot share one of the three ports of their kind.
const (
	firstExtraProbePort = names.ReadyPort + 1
	lastExtraProbePort  = firstExtraProbePort + 34
)

// A found probe is one that the kubelet sends over the network, or a hook, and what the sidecar has to know about it.
type found struct {
	// One of the two is set.
	probe *corev1.Probe
	hook  *corev1.HTTPGetAction
	bootstrap.Probe
}

// redirectProbes points the pod's probes and hooks at the sidecar, which forwards them: the kubelet has no certificate, so the
// application's own ports would refuse it. Exec probes stay, and so do probes of another host than the pod.
func redirectProbes(pod *corev1.Pod, uuid string) ([]bootstrap.Probe, error) {
	all, err := findProbes(pod)
	hooks, hooksErr := findHooks(pod)
	if err := errors.Join(err, hooksErr); err != nil {
		return nil, err
	}
	all = append(all, hooks...)
	if err := assignPorts(all); err != nil {
		return nil, err
	}
	var list []bootstrap.Probe
	for _, f := range all {
		pointAtSidecar(f, uuid, probesAt(all, f.ListenPort) == 1)
		list = append(list, f.Probe)
	}
	return list, nil
}

func findProbes(pod *corev1.Pod) ([]*found, error) {
	var all []*found
	var problems []error
	for _, kind := range bootstrap.ProbeKinds() {
		for c := range containers(pod) {
			probe := *probeOf(c, kind)
			if probe == nil {
				continue
			}
			described, ok, err := describe(c, probe)
			if err != nil {
				problems = append(problems, fmt.Errorf("the %s probe of container %s %w", kind, c.Name, err))
			}
			if ok {
				described.Kind, described.Container = kind, c.Name
				described.TimeoutSeconds, described.PeriodSeconds = max(probe.TimeoutSeconds, 1), probe.PeriodSeconds
				if probe.PeriodSeconds == 0 {
					described.PeriodSeconds = 10
				}
				all = append(all, &found{probe: probe, Probe: described})
			}
		}
	}
	return all, errors.Join(problems...)
}

// probeOf is where a container keeps its probe of a kind.
func probeOf(c *corev1.Container, kind bootstrap.ProbeKind) **corev1.Probe {
	switch kind {
	case bootstrap.Liveness:
		return &c.LivenessProbe
	case bootstrap.Readiness:
		return &c.ReadinessProbe
	default:
		return &c.StartupProbe
	}
}

// describe is how the sidecar shall answer a probe; ok is false when the probe does not concern it.
func describe(c *corev1.Container, probe *corev1.Probe) (p bootstrap.Probe, ok bool, err error) {
	var port intstr.IntOrString
	switch {
	case probe.HTTPGet != nil && probe.HTTPGet.Host == "":
		port = probe.HTTPGet.Port
		p.Handler, p.Path = request(probe.HTTPGet)
	case probe.TCPSocket != nil && probe.TCPSocket.Host == "":
		port, p.Handler = probe.TCPSocket.Port, bootstrap.TCP
	case probe.GRPC != nil:
		port, p.Handler = intstr.FromInt32(probe.GRPC.Port), bootstrap.GRPC
	default:
		return p, false, nil
	}
	p.Port, err = portNumber(c, port)
	return p, err == nil, err
}

// request is how the sidecar asks the application in the kubelet's place.
func request(get *corev1.HTTPGetAction) (bootstrap.ProbeHandler, string) {
	handler := bootstrap.HTTP
	if get.Scheme == corev1.URISchemeHTTPS {
		handler = bootstrap.HTTPS
	}
	return handler, "/" + strings.TrimPrefix(get.Path, "/")
}

// answer makes the kubelet ask the sidecar for a path, always without TLS: the sidecar has no certificate for it, and the port of the
// application would be open to everybody if TLS was passed on as it is.
func answer(get *corev1.HTTPGetAction, port uint16, path string) {
	get.Port, get.Path = intstr.FromInt32(int32(port)), path
	if get.Scheme != "" {
		get.Scheme = corev1.URISchemeHTTP
	}
}

// portNumber finds the number of a port that may be given by its name.
func portNumber(c *corev1.Container, port intstr.IntOrString) (uint16, error) {
	number := port.IntVal
	if port.Type == intstr.String {
		number = 0
		for _, declared := range c.Ports {
			if declared.Name == port.StrVal {
				number = declared.ContainerPort
			}
		}
		if number == 0 {
			return 0, fmt.Errorf("names the port %q, which the container does not declare: add it to the container's ports", port.StrVal)
		}
	}
	if number < 1 || number > 65535 {
		return 0, fmt.Errorf("has the port %d: use a port from 1 to 65535", number)
	}
	return uint16(number), nil
}

// assignPorts gives the probes of a kind one port of the sidecar, told apart by path. A gRPC probe, whose path is always the same,
// has a port for itself: that of its kind if no other needs it, else one of the extra ports. All hooks share one of those.
func assignPorts(all []*found) error {
	taken := map[uint16]bool{}
	for _, f := range all {
		if f.hook == nil && f.Handler != bootstrap.GRPC {
			f.ListenPort = f.Kind.ListenPort()
			taken[f.ListenPort] = true
		}
	}
	next, hooks := uint16(firstExtraProbePort), uint16(0)
	extra := func() uint16 {
		next++
		return next - 1
	}
	for _, f := range all {
		switch {
		case f.hook != nil:
			if hooks == 0 {
				hooks = extra()
			}
			f.ListenPort = hooks
		case f.Handler != bootstrap.GRPC:
		case !taken[f.Kind.ListenPort()]:
			f.ListenPort = f.Kind.ListenPort()
			taken[f.ListenPort] = true
		default:
			f.ListenPort = extra()
		}
	}
	if next > lastExtraProbePort+1 {
		return fmt.Errorf("the pod has %d probes and hooks that need a port of the sidecar for themselves, which has %d for them: "+
			"remove some gRPC probes", next-firstExtraProbePort, lastExtraProbePort-firstExtraProbePort+1)
	}
	return nil
}

func probesAt(all []*found, port uint16) int {
	count := 0
	for _, f := range all {
		if f.ListenPort == port {
			count++
		}
	}
	return count
}

// pointAtSidecar rewrites a probe in its pod. The only probe of a kind has the path that OSM gives it.
func pointAtSidecar(f *found, uuid string, single bool) {
	path := f.Kind.ContainerPath(f.Container)
	if single {
		path = f.Kind.Path()
	}
	switch {
	case f.hook != nil:
		answer(f.hook, f.ListenPort, f.Kind.HookPath(uuid, f.Container))
	case f.Handler == bootstrap.GRPC:
		f.probe.GRPC.Port = int32(f.ListenPort)
	case f.Handler == bootstrap.TCP:
		f.probe.TCPSocket = nil
		f.probe.HTTPGet = &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(int32(f.ListenPort)), Scheme: corev1.URISchemeHTTP}
	default:
		answer(f.probe.HTTPGet, f.ListenPort, path)
	}
}
