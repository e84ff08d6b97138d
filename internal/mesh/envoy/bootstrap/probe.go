package bootstrap

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// ProbeKind is the kind of a health probe or of a lifecycle hook. The kubelet calls both over HTTP.
type ProbeKind string

// Kinds of probes and hooks. OSM's paths, listeners and clusters contain these names.
const (
	Liveness  ProbeKind = "liveness"
	Readiness ProbeKind = "readiness"
	Startup   ProbeKind = "startup"
	// PostStart and PreStop are the hooks after a container starts and before it stops.
	PostStart ProbeKind = "postStart"
	PreStop   ProbeKind = "preStop"
)

// ProbeKinds are the kinds of health probes, in the order of their ports.
func ProbeKinds() []ProbeKind { return []ProbeKind{Liveness, Readiness, Startup} }

// isValid reports whether the sidecar answers this kind.
func (k ProbeKind) isValid() bool { return k.ListenPort() != 0 || k.isHook() }

// isHook reports whether the kind is a lifecycle hook.
func (k ProbeKind) isHook() bool { return k == PostStart || k == PreStop }

// ListenPort is the sidecar's port for probes of this kind; 0 for hooks, which have no port of their kind.
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

// Path is OSM's path of the probe of this kind in a pod with a single one.
func (k ProbeKind) Path() string { return "/osm-" + string(k) + "-probe" }

// ContainerPath is the path of the probe of one container.
func (k ProbeKind) ContainerPath(container string) string { return k.Path() + "/" + container }

// HookPath is the path of a hook of one container. Hooks have side effects, and the port is open to the whole cluster. The path therefore
// contains the proxy UUID, which only readers of the pod, such as the kubelet, have.
func (k ProbeKind) HookPath(proxyUUID, container string) string {
	return "/osm-" + string(k) + "-hook/" + proxyUUID + "/" + container
}

// ProbeHandler is how the sidecar answers a probe.
type ProbeHandler string

const (
	// HTTP forwards the request to the application under its original path.
	HTTP ProbeHandler = "http"
	// HTTPS is HTTP over TLS. The sidecar accepts any server certificate, as the kubelet does. The kubelet calls the
	// sidecar over HTTP, because a path cannot be matched inside TLS.
	HTTPS ProbeHandler = "https"
	// GRPC forwards calls of the health service's Check method and no others.
	GRPC ProbeHandler = "grpc"
	// TCP answers an HTTP request with 200 while the application's port accepts connections, otherwise with 503. A
	// plain TCP probe would always connect to the sidecar itself and succeed.
	TCP ProbeHandler = "tcp"
)

// healthCheck is the method that the kubelet's gRPC probes call.
const healthCheck = "/grpc.health.v1.Health/Check"

// Probe is one health probe or hook of one container. HTTP, HTTPS and TCP probes of a kind share a listener and differ
// by path, and so do all hooks. A GRPC probe has a listener of its own, because its path is always the same.
type Probe struct {
	Kind      ProbeKind    `json:"kind"`
	Container string       `json:"container"`
	Handler   ProbeHandler `json:"handler"`
	// ListenPort is the sidecar's port that the kubelet calls.
	ListenPort uint16 `json:"listenPort"`
	// Port is the port of the application.
	Port uint16 `json:"port"`
	// Path is the application's path of an HTTP or HTTPS probe, including a query.
	Path string `json:"path,omitempty"`
	// TimeoutSeconds is the kubelet's timeout.
	TimeoutSeconds int32 `json:"timeoutSeconds"`
	// PeriodSeconds is the kubelet's probe period.
	PeriodSeconds int32 `json:"periodSeconds"`
}

// maxCheckInterval is in seconds. It keeps the answer of a TCP probe fresh when the kubelet's period is long.
const maxCheckInterval = 5

func (p Probe) timeout() time.Duration { return time.Duration(max(p.TimeoutSeconds, 1)) * time.Second }

func (p Probe) checkInterval() time.Duration {
	return time.Duration(min(max(p.PeriodSeconds, 1), maxCheckInterval)) * time.Second
}

// hasPath reports whether the application has a path for this probe.
func (p Probe) hasPath() bool { return p.Handler == HTTP || p.Handler == HTTPS }

func (p Probe) validate() error {
	where := fmt.Sprintf("the %s probe of container %q", p.Kind, p.Container)
	switch {
	case !p.Kind.isValid():
		return fmt.Errorf("%s has an unknown kind: use liveness, readiness, startup, postStart or preStop", where)
	case p.Kind.isHook() && !p.hasPath():
		return fmt.Errorf("%s is a hook and has the handler %q: use http or https", where, p.Handler)
	case !slices.Contains([]ProbeHandler{HTTP, HTTPS, GRPC, TCP}, p.Handler):
		return fmt.Errorf("%s has the unknown handler %q: use http, https, grpc or tcp", where, p.Handler)
	case p.Port == 0 || p.ListenPort == 0:
		return fmt.Errorf("%s has no port", where)
	case p.Container == "":
		return fmt.Errorf("a %s probe does not name its container", p.Kind)
	case p.hasPath() && !strings.HasPrefix(p.Path, "/"):
		return fmt.Errorf("%s has the path %q, which does not start with a slash", where, p.Path)
	}
	return nil
}
