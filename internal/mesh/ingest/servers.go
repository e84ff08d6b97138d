package ingest

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// ExtensionService reads an ExtensionService (config.openservicemesh.io/v1alpha2). There is no entry without a usable address.
func ExtensionService(u *unstructured.Unstructured) (*catalog.ExtensionService, []Problem) {
	spec, found, ok := DecodeObject[configv1alpha2.ExtensionServiceSpec](u)
	if !ok {
		return nil, found
	}
	protocol := strings.ToLower(spec.Protocol)
	service := &catalog.ExtensionService{
		Name: NameOf(u), Address: strings.ToLower(strings.TrimSuffix(spec.Host, ".")),
		ConnectTimeout: found.DurationFrom("spec.connectTimeout", spec.ConnectTimeout, "2s", MinTimeout),
	}
	usable := IsServer("spec.host", "spec.port", service.Address, spec.Host, spec.Port, &found)
	switch {
	case protocol == "http":
		service.HTTP1 = true
	case !slices.Contains([]string{"", "h2c", "grpc"}, protocol):
		found.Reject(ReasonUnknownProtocol, "spec.protocol is %.40q: write h2c or grpc for a server with HTTP/2 without TLS, or http for one with HTTP/1.1.", protocol)
		usable = false
	}
	if !usable {
		return nil, found
	}
	service.Port = uint16(spec.Port) //nolint:gosec // checked
	return service, found
}

// IsServer reports whether sidecars may connect to a server. The loopback address is the sidecar itself: whoever may edit
// policies must not reach its admin interface through it.
func IsServer(hostField, portField, address, written string, port int32, found *Problems) bool {
	if !isAddress(hostField, address, written, "server", found) || !isPort(portField, port, "server", found) {
		return false
	}
	switch {
	case catalog.IsOwnHost(address):
		found.Reject(ReasonInvalidName, "%s %.80q is the pod of each sidecar: write the name of a Service or of a server outside the cluster.", hostField, written)
	case names.IsReservedPort(uint16(port)): //nolint:gosec // checked
		found.Reject(ReasonInvalidPort, "%s %d belongs to sidecars: the server needs another port.", portField, port)
	default:
		return true
	}
	return false
}

// Defaults for the server that receives traces. Those of Zipkin are OSM's.
const (
	defaultTracingPort = 9411
	defaultTracingPath = "/api/v2/spans"
	defaultOTLPPort    = 4317
)

// tracing reads the server that receives traces; nil if tracing is disabled or the server cannot be used. The default server is that of
// OSM's chart in the namespace of the mesh.
func tracing(spec *configv1alpha2.TracingSpec, namespace string, found *Problems) *catalog.Tracing {
	if !spec.Enable {
		return nil
	}
	const field = "spec.observability.tracing"
	address := cmp.Or(strings.ToLower(strings.TrimSuffix(spec.Address, ".")), "jaeger."+namespace+".svc.cluster.local")
	port, path := cmp.Or(spec.Port, defaultTracingPort), cmp.Or(spec.Endpoint, defaultTracingPath)
	otlp := spec.Protocol == configv1alpha2.TracingOTLP
	if otlp {
		port, path = cmp.Or(spec.Port, defaultOTLPPort), ""
	}
	switch {
	case !isServer(field, address, spec.Address, port, "server that receives traces", found):
	case spec.Protocol != "" && spec.Protocol != configv1alpha2.TracingZipkin && !otlp:
		found.Reject(ReasonMalformed, "%s.protocol %.20q is unknown: write Zipkin or OTLP.", field, spec.Protocol)
	case otlp && spec.Endpoint != "":
		found.Reject(ReasonMalformed, "%s.endpoint is a path of the protocol Zipkin: remove it, and set port to that of OTLP over gRPC, usually %d.", field, defaultOTLPPort)
	case !otlp && !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " \t\r\n"):
		found.Reject(ReasonMalformed, "%s.endpoint %.80q is not a URL path: write one that begins with /, for example %s.", field, path, defaultTracingPath)
	default:
		return &catalog.Tracing{Address: address, Port: uint16(port), OTLP: otlp, Path: path, Sampling: sampling(field, spec.SamplingPercentage, "All traces are sent.", found)} //nolint:gosec // checked above
	}
	found.Effect("No traces are sent.")
	return nil
}

// TracingServer reads the server that receives traces, as it is used for sidecars.
func TracingServer(spec *configv1alpha2.MeshConfigSpec, namespace string) *catalog.Tracing {
	return tracing(&spec.Observability.Tracing, namespace, &Problems{})
}

// unloggedRequests reads how many of a million requests are not logged.
func unloggedRequests(percentage string, found *Problems) uint32 {
	const perPercent = catalog.AllRequests / 100
	return catalog.AllRequests - uint32(math.Round(sampling("spec.observability.accessLog", percentage, "All requests are logged.", found)*perPercent))
}

// sampling reads a percentage. What is none means everything, and the effect says so.
func sampling(field, text, effect string, found *Problems) float64 {
	const all = 100
	if text == "" {
		return all
	}
	percentage, err := strconv.ParseFloat(text, 64)
	if err != nil || !(percentage >= 0 && percentage <= all) {
		found.Reject(ReasonMalformed, "%s.samplingPercentage %.20q is not a percentage: write a number from 0 to 100, for example 0.5.", field, text)
		found.Effect("%s", effect)
		return all
	}
	return percentage
}

const (
	// defaultAuthorizationTimeout and defaultAuthorizationPrefix are those of OSM.
	defaultAuthorizationTimeout = time.Second
	defaultAuthorizationPrefix  = "inboundExtAuthz"
	// MaxDecisionTimeout bounds how long a server can delay requests.
	MaxDecisionTimeout = time.Minute
)

// externalAuthorization reads the server that authorizes inbound requests; nil if it is disabled. A server without a usable address is
// one that never answers: ignoring it would allow what it should deny.
func externalAuthorization(spec *configv1alpha2.ExternalAuthorizationSpec, found *Problems) *catalog.ExternalAuthorization {
	if !spec.Enable {
		return nil
	}
	const field = "spec.traffic.inboundExternalAuthorization"
	server := &catalog.ExternalAuthorization{
		Address: strings.ToLower(strings.TrimSuffix(spec.Address, ".")), Port: uint16(spec.Port), //nolint:gosec // checked below
		StatPrefix: spec.StatPrefix, Timeout: DecisionTimeout(field+".timeout", spec.Timeout, found), FailureModeAllow: spec.FailureModeAllow,
	}
	if server.StatPrefix == "" {
		server.StatPrefix = defaultAuthorizationPrefix
	}
	if isServer(field, server.Address, spec.Address, spec.Port, "authorization server", found) {
		return server
	}
	server.Address, server.Port = "", 0
	if server.FailureModeAllow {
		found.Effect("No request is sent to it, and all are allowed, because failureModeAllow is true.")
	} else {
		found.Effect("Inbound HTTP requests are denied with status 503, because failureModeAllow is false.")
	}
	return server
}

// DecisionTimeout reads how long a server that decides about requests has time to answer; without a usable one it is the default.
func DecisionTimeout(field, text string, found *Problems) time.Duration {
	if text == "" {
		return defaultAuthorizationTimeout
	}
	timeout, err := time.ParseDuration(text)
	switch {
	case err != nil:
		found.Reject(ReasonInvalidDuration, "%s %.40q is not a duration: write a number with a unit, for example 1s or 250ms.", field, text)
	case timeout < MinTimeout || timeout > MaxDecisionTimeout:
		found.Reject(ReasonInvalidDuration, "%s %s is out of range: write a duration from %s to %s.", field, text, MinTimeout, MaxDecisionTimeout)
	default:
		return timeout
	}
	found.Effect("The timeout is %s.", defaultAuthorizationTimeout)
	return defaultAuthorizationTimeout
}
