package inject

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Ports of the sidecar for hooks, and for gRPC probes that cannot share the port of their kind.
const (
	firstExtraProbePort = names.ReadyPort + 1
	lastExtraProbePort  = firstExtraProbePort + 34
)

// rewrittenProbe is a probe or hook that the kubelet sends over the network, and the sidecar's configuration for it.
type rewrittenProbe struct {
	// Exactly one of probe and hook is set.
	probe *corev1.Probe
	hook  *corev1.HTTPGetAction
	bootstrap.Probe
}

// redirectProbes redirects the pod's probes and hooks to the sidecar, which forwards them. The kubelet has no mesh
// certificate, so the application's own ports would reject it. Exec probes and probes of other hosts stay unchanged.
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
		sharing := lists.Filter(all, func(other *rewrittenProbe) bool { return other.ListenPort == f.ListenPort })
		redirectToSidecar(f, uuid, len(sharing) == 1)
		list = append(list, f.Probe)
	}
	return list, nil
}

func findProbes(pod *corev1.Pod) ([]*rewrittenProbe, error) {
	var all []*rewrittenProbe
	var problems []error
	for _, kind := range bootstrap.ProbeKinds() {
		for c := range containers(pod) {
			probe := *probeOf(c, kind)
			if probe == nil {
				continue
			}
			described, ok, err := describeProbe(c, probe)
			if err != nil {
				problems = append(problems, fmt.Errorf("the %s probe of container %s %w", kind, c.Name, err))
			}
			if ok {
				described.Kind, described.Container = kind, c.Name
				described.TimeoutSeconds, described.PeriodSeconds = max(probe.TimeoutSeconds, 1), probe.PeriodSeconds
				if probe.PeriodSeconds == 0 {
					described.PeriodSeconds = 10
				}
				all = append(all, &rewrittenProbe{probe: probe, Probe: described})
			}
		}
	}
	return all, errors.Join(problems...)
}

// probeOf returns the field of a container that holds its probe of the given kind.
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

// describeProbe returns the sidecar's configuration for a probe; ok is false if the sidecar does not handle the probe.
func describeProbe(c *corev1.Container, probe *corev1.Probe) (p bootstrap.Probe, ok bool, err error) {
	var port intstr.IntOrString
	switch {
	case probe.HTTPGet != nil && probe.HTTPGet.Host == "":
		port = probe.HTTPGet.Port
		p.Handler, p.Path = applicationRequest(probe.HTTPGet)
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

// applicationRequest returns the handler and path of the request that the sidecar sends to the application.
func applicationRequest(get *corev1.HTTPGetAction) (bootstrap.ProbeHandler, string) {
	handler := bootstrap.HTTP
	if get.Scheme == corev1.URISchemeHTTPS {
		handler = bootstrap.HTTPS
	}
	return handler, "/" + strings.TrimPrefix(get.Path, "/")
}

// redirectRequest points the kubelet's request at the sidecar, always without TLS. The sidecar has no certificate for
// the kubelet, and passing TLS through would expose the application's port without authentication.
func redirectRequest(get *corev1.HTTPGetAction, port uint16, path string) {
	get.Port, get.Path = intstr.FromInt32(int32(port)), path
	if get.Scheme != "" {
		get.Scheme = corev1.URISchemeHTTP
	}
}

// portNumber returns the number of a container port that is given by number or name.
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

// assignPorts assigns ports of the sidecar. Probes of one kind share a port and differ by path. All gRPC probes have the
// same path, so each needs its own port: the port of its kind if it is free, else an extra port. All hooks share one extra port.
func assignPorts(all []*rewrittenProbe) error {
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
		return fmt.Errorf("the pod has %d probes and hooks that need their own port of the sidecar, which has %d such ports: "+
			"remove some gRPC probes", next-firstExtraProbePort, lastExtraProbePort-firstExtraProbePort+1)
	}
	return nil
}

// redirectToSidecar rewrites a probe of the pod. The only probe of a kind gets OSM's path.
func redirectToSidecar(f *rewrittenProbe, uuid string, single bool) {
	path := f.Kind.ContainerPath(f.Container)
	if single {
		path = f.Kind.Path()
	}
	switch {
	case f.hook != nil:
		redirectRequest(f.hook, f.ListenPort, f.Kind.HookPath(uuid, f.Container))
	case f.Handler == bootstrap.GRPC:
		f.probe.GRPC.Port = int32(f.ListenPort)
	case f.Handler == bootstrap.TCP:
		f.probe.TCPSocket = nil
		f.probe.HTTPGet = &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(int32(f.ListenPort)), Scheme: corev1.URISchemeHTTP}
	default:
		redirectRequest(f.probe.HTTPGet, f.ListenPort, path)
	}
}
