package bootstrap

import (
	"fmt"
	"slices"
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

// HookPath is the path of a hook of one container. Hooks change things, and the sidecar's port is open to the whole cluster: so
// the path holds the name of the sidecar, which only those know who may read the pod, as the kubelet does.
func (k ProbeKind) HookPath(proxyUUID, container string) string {
	return "/osm-" + string(k) + "-hook/" + proxyUUID + "/" + container
}

// ProbeHandler is how the sidecar answers a probe.
type ProbeHandler string

const (
	// HTTP forwards the request to the application, under its original path.
	HTTP ProbeHandler = "http"
	// HTTPS does the same over TLS, and believes any certificate, as the kubelet does. The kubelet itself asks over HTTP: what it
	// says in TLS could not be held to one path.
	HTTPS ProbeHandler = "https"
	// GRPC forwards calls of the health service's Check, and no others.
	GRPC ProbeHandler = "grpc"
	// TCP answers an HTTP request with 200 while the application's port takes connections, else with 503. A probe
	// that merely connects would be answered by the sidecar itself, always.
	TCP ProbeHandler = "tcp"
	// Passthrough forwards the connection, byte by byte, whoever calls. Injectors up to v0.1.0 asked for it for HTTPS and gRPC.
	Passthrough ProbeHandler = "passthrough"
)

// healthCheck is the one call of the kubelet's gRPC probes.
const healthCheck = "/grpc.health.v1.Health/Check"

// Probe is one health probe or hook of one container. HTTP, HTTPS and TCP probes of a kind share a listener and are told apart by
// path, as all hooks do; a GRPC probe, whose path is always the same, has a listener of its own.
type Probe struct {
	Kind      ProbeKind    `json:"kind"`
	Container string       `json:"container"`
	Handler   ProbeHandler `json:"handler"`
	// ListenPort is the port of the sidecar that the kubelet calls.
	ListenPort uint16 `json:"listenPort"`
	// Port is the port of the application.
	Port uint16 `json:"port"`
	// Path is the path, with a query if any, that an HTTP or HTTPS probe has in the application.
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

// byPath says whether the application answers under a path of its own.
func (p Probe) byPath() bool { return p.Handler == HTTP || p.Handler == HTTPS }

func (p Probe) validate() error {
	where := fmt.Sprintf("the %s probe of container %q", p.Kind, p.Container)
	switch {
	case !p.Kind.known():
		return fmt.Errorf("%s is of no known kind: use liveness, readiness, startup, postStart or preStop", where)
	case p.Kind.hook() && !p.byPath():
		return fmt.Errorf("%s is a hook and has the handler %q: use http or https", where, p.Handler)
	case !slices.Contains([]ProbeHandler{HTTP, HTTPS, GRPC, TCP, Passthrough}, p.Handler):
		return fmt.Errorf("%s has the unknown handler %q: use http, https, grpc, tcp or passthrough", where, p.Handler)
	case p.Port == 0 || p.ListenPort == 0:
		return fmt.Errorf("%s lacks a port", where)
	case p.Container == "":
		return fmt.Errorf("a %s probe does not name its container", p.Kind)
	case p.byPath() && !strings.HasPrefix(p.Path, "/"):
		return fmt.Errorf("%s has the path %q, which does not start with a slash", where, p.Path)
	}
	return nil
}
