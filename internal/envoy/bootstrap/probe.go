package bootstrap

import (
	"fmt"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// ProbeKind is one of the three kinds of health probes, or of the two hooks, which the kubelet calls as it calls probes.
type ProbeKind string

// The kinds of probes, by the names in OSM's paths, listeners and clusters, and hooks.
const (
	Liveness  ProbeKind = "liveness"
	Readiness ProbeKind = "readiness"
	Startup   ProbeKind = "startup"
	// PostStart and PreStop are called when a container has started and before it is stopped.
	PostStart ProbeKind = "postStart"
	PreStop   ProbeKind = "preStop"
)

// ProbeKinds are the kinds of health probes, in the order of their ports.
func ProbeKinds() []ProbeKind { return []ProbeKind{Liveness, Readiness, Startup} }

// known says whether the sidecar answers this kind.
func (k ProbeKind) known() bool { return k.ListenPort() != 0 || k.hook() }

// hook says whether this is no probe.
func (k ProbeKind) hook() bool { return k == PostStart || k == PreStop }

// ListenPort is the port on which the sidecar answers probes of this kind; 0 for hooks, which have no port of their kind.
func (k ProbeKind) ListenPort() uint16 {
	switch k {
	case Liveness:
		return names.LivenessPort
	case Readiness:
		return names.ReadinessPort
	case Startup:
		return names.StartupPort
	}
	return 0
}

// Path is the path of the probe of a kind when the pod has a single one, as OSM names it.
func (k ProbeKind) Path() string { return "/osm-" + string(k) + "-probe" }

// ContainerPath is the path of the probe of one container.
func (k ProbeKind) ContainerPath(container string) string { return k.Path() + "/" + container }

// ProbeHandler is how the sidecar answers a probe.
type ProbeHandler string

const (
	// HTTP forwards the request to the application, under its original path.
	HTTP ProbeHandler = "http"
	// TCP answers an HTTP request with 200 while the application's port takes connections, else with 503. A probe
	// that merely connects would be answered by the sidecar itself, always.
	TCP ProbeHandler = "tcp"
	// Passthrough forwards the connection, byte by byte: HTTPS and gRPC probes, and hooks. The kubelet takes any answer to
	// a hook for success, so that only a connection which ends can tell it that the application's port is closed.
	Passthrough ProbeHandler = "passthrough"
)

// Probe is one health probe of one container. HTTP and TCP probes of a kind share a listener and are told apart by
// path; a Passthrough probe has a listener of its own.
type Probe struct {
	Kind      ProbeKind    `json:"kind"`
	Container string       `json:"container"`
	Handler   ProbeHandler `json:"handler"`
	// ListenPort is the port of the sidecar that the kubelet calls.
	ListenPort uint16 `json:"listenPort"`
	// Port is the port of the application.
	Port uint16 `json:"port"`
	// Path is the path, with a query if any, that an HTTP probe has in the application.
	Path string `json:"path,omitempty"`
	// TimeoutSeconds is how long the kubelet waits for the answer.
	TimeoutSeconds int32 `json:"timeoutSeconds"`
	// PeriodSeconds is how often the kubelet asks.
	PeriodSeconds int32 `json:"periodSeconds"`
}

// maxCheckInterval keeps the answer of a TCP probe fresh even when the kubelet asks rarely.
const maxCheckInterval = 5

func (p Probe) timeout() time.Duration { return time.Duration(max(p.TimeoutSeconds, 1)) * time.Second }

func (p Probe) checkInterval() time.Duration {
	return time.Duration(min(max(p.PeriodSeconds, 1), maxCheckInterval)) * time.Second
}

func (p Probe) validate() error {
	where := fmt.Sprintf("the %s probe of container %q", p.Kind, p.Container)
	switch {
	case !p.Kind.known():
		return fmt.Errorf("%s is of no known kind: use liveness, readiness, startup, postStart or preStop", where)
	case p.Kind.hook() && p.Handler != Passthrough:
		return fmt.Errorf("%s is a hook and has the handler %q: use passthrough", where, p.Handler)
	case p.Handler != HTTP && p.Handler != TCP && p.Handler != Passthrough:
		return fmt.Errorf("%s has the unknown handler %q: use http, tcp or passthrough", where, p.Handler)
	case p.Port == 0 || p.ListenPort == 0:
		return fmt.Errorf("%s lacks a port", where)
	case p.Container == "":
		return fmt.Errorf("a %s probe does not name its container", p.Kind)
	case p.Handler == HTTP && !strings.HasPrefix(p.Path, "/"):
		return fmt.Errorf("%s has the path %q, which does not start with a slash", where, p.Path)
	}
	return nil
}
