package ingest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// ExtensionService reads an ExtensionService (config.openservicemesh.io/v1alpha2). There is no entry without a usable address.
func ExtensionService(u *unstructured.Unstructured) (*catalog.ExtensionService, []Problem) {
	spec, found, ok := decodeObject[configv1alpha2.ExtensionServiceSpec](u)
	if !ok {
		return nil, found
	}
	protocol := strings.ToLower(spec.Protocol)
	service := &catalog.ExtensionService{
		Name: nameOf(u), Address: strings.ToLower(strings.TrimSuffix(spec.Host, ".")),
		ConnectTimeout: found.durationFrom("spec.connectTimeout", spec.ConnectTimeout, "2s", MinTimeout),
	}
	usable := isExtensionServer("spec.host", "spec.port", service.Address, spec.Host, spec.Port, &found)
	switch {
	case protocol == "http":
		service.HTTP1 = true
	case !slices.Contains([]string{"", "h2c", "grpc"}, protocol):
		found.reject(ReasonUnknownProtocol, "spec.protocol is %.40q: write h2c or grpc for a server with HTTP/2 without TLS, or http for one with HTTP/1.1.", protocol)
		usable = false
	}
	if !usable {
		return nil, found
	}
	service.Port = uint16(spec.Port) //nolint:gosec // checked
	return service, found
}

// isExtensionServer reports whether sidecars may connect to a server. The loopback address is the sidecar itself: whoever may edit
// policies must not reach its admin interface through it.
func isExtensionServer(hostField, portField, address, written string, port int32, found *problems) bool {
	if !isAddress(hostField, address, written, "server", found) || !isPort(portField, port, "server", found) {
		return false
	}
	switch {
	case catalog.IsOwnHost(address):
		found.reject(ReasonInvalidName, "%s %.80q is the pod of each sidecar: write the name of a Service or of a server outside the cluster.", hostField, written)
	case names.IsReservedPort(uint16(port)): //nolint:gosec // checked
		found.reject(ReasonInvalidPort, "%s %d belongs to sidecars: the server needs another port.", portField, port)
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
func tracing(spec *configv1alpha2.TracingSpec, namespace string, found *problems) *catalog.Tracing {
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
		found.reject(ReasonMalformed, "%s.protocol %.20q is unknown: write Zipkin or OTLP.", field, spec.Protocol)
	case otlp && spec.Endpoint != "":
		found.reject(ReasonMalformed, "%s.endpoint is a path of the protocol Zipkin: remove it, and set port to that of OTLP over gRPC, usually %d.", field, defaultOTLPPort)
	case !otlp && !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " \t\r\n"):
		found.reject(ReasonMalformed, "%s.endpoint %.80q is not a URL path: write one that begins with /, for example %s.", field, path, defaultTracingPath)
	default:
		return &catalog.Tracing{Address: address, Port: uint16(port), OTLP: otlp, Path: path, Sampling: sampling(field, spec.SamplingPercentage, found)} //nolint:gosec // checked above
	}
	found.effect("No traces are sent.")
	return nil
}

// TracingServer reads the server that receives traces, as it is used for sidecars.
func TracingServer(spec *configv1alpha2.MeshConfigSpec, namespace string) *catalog.Tracing {
	return tracing(&spec.Observability.Tracing, namespace, &problems{})
}

// sampling reads a percentage.
func sampling(field, text string, found *problems) float64 {
	const all = 100
	if text == "" {
		return all
	}
	percentage, err := strconv.ParseFloat(text, 64)
	if err != nil || !(percentage >= 0 && percentage <= all) {
		found.reject(ReasonMalformed, "%s.samplingPercentage %.20q is not a percentage: write a number from 0 to 100, for example 0.5.", field, text)
		found.effect("All traces are sent.")
		return all
	}
	return percentage
}

// maxAuthorizationBody is the largest part of a body that a server gets, in bytes.
const maxAuthorizationBody = 64 << 10

// ExternalAuthorization reads an ExternalAuthorization (policy.openservicemesh.io/v1alpha1). It never allows more than its author means: an
// unusable server never answers, and an invalid selector selects all pods of the namespace.
func ExternalAuthorization(u *unstructured.Unstructured) (*catalog.ExternalAuthorizationPolicy, []Problem) {
	var found problems
	spec, decoded := decodeSpec[policyv1alpha1.ExternalAuthorizationSpec](specOf(u), &found)
	policy := &catalog.ExternalAuthorizationPolicy{
		Name: nameOf(u), Created: u.GetCreationTimestamp().UTC(),
		Timeout:          authorizationTimeout("spec.timeout", spec.Timeout, &found),
		FailureModeAllow: spec.FailureModeAllow,
		MaxRequestBytes:  valueOrZero(found.number("spec.maxRequestBytes", ptr.To(int64(spec.MaxRequestBytes)), 0, maxAuthorizationBody)),
		PathPrefix:       authorizationPath(spec.PathPrefix, &found),
		RequestHeaders:   headerNames("spec.requestHeaders", spec.RequestHeaders, decoded, &found),
		ResponseHeaders:  headerNames("spec.responseHeaders", spec.ResponseHeaders, decoded, &found),
	}
	policy.Selector, _ = podSelector(spec.Selector, "selects all pods", &found)
	policy.Service = extensionRef("spec.extensionService", spec.ExtensionService, policy.Name.Namespace, &found)
	for i := range found {
		if wrongType, ok := strings.CutSuffix(found[i].Message, ", so this object is not acted on."); ok {
			found[i].Message = wrongType + ". The field counts as absent."
		}
	}
	return policy, found
}

func authorizationPath(prefix string, found *problems) string {
	if prefix == "" || strings.HasPrefix(prefix, "/") && !strings.ContainsAny(prefix, " \t\r\n?#") {
		return prefix
	}
	found.reject(ReasonMalformed, "spec.pathPrefix %.80q is not the beginning of a URL path and counts as absent: write one that begins with /, for example /check.", prefix)
	return ""
}

// headerNames reads names of headers, in lower case and sorted. If not everything was decoded, an empty name may stand for a
// value of the wrong type, which is a problem already.
func headerNames(path string, items []string, decoded bool, found *problems) []string {
	var names []string
	for i, name := range items {
		switch {
		case name == "" && !decoded:
		case len(name) > maxHeaderName:
			found.reject(ReasonInvalidHeader, "%s has %d characters, so it is left out: use at most %d.", indexed(path, i), len(name), maxHeaderName)
		case headerNameProblem(headerCopied, name) != "":
			found.reject(ReasonInvalidHeader, "%s %.80q is left out, because %s.", indexed(path, i), name, headerNameProblem(headerCopied, name))
		default:
			names = append(names, strings.ToLower(name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

const (
	// defaultAuthorizationTimeout and defaultAuthorizationPrefix are those of OSM.
	defaultAuthorizationTimeout = time.Second
	defaultAuthorizationPrefix  = "inboundExtAuthz"
	// maxAuthorizationTimeout bounds how long a server can delay requests.
	maxAuthorizationTimeout = time.Minute
)

// externalAuthorization reads the server that authorizes inbound requests; nil if it is disabled. A server without a usable address is
// one that never answers: ignoring it would allow what it should deny.
func externalAuthorization(spec *configv1alpha2.ExternalAuthorizationSpec, found *problems) *catalog.ExternalAuthorization {
	if !spec.Enable {
		return nil
	}
	const field = "spec.traffic.inboundExternalAuthorization"
	server := &catalog.ExternalAuthorization{
		Address: strings.ToLower(strings.TrimSuffix(spec.Address, ".")), Port: uint16(spec.Port), //nolint:gosec // checked below
		StatPrefix: spec.StatPrefix, Timeout: authorizationTimeout(field+".timeout", spec.Timeout, found), FailureModeAllow: spec.FailureModeAllow,
	}
	if server.StatPrefix == "" {
		server.StatPrefix = defaultAuthorizationPrefix
	}
	if isServer(field, server.Address, spec.Address, spec.Port, "authorization server", found) {
		return server
	}
	server.Address, server.Port = "", 0
	if server.FailureModeAllow {
		found.effect("No request is sent to it, and all are allowed, because failureModeAllow is true.")
	} else {
		found.effect("Inbound HTTP requests are denied with status 503, because failureModeAllow is false.")
	}
	return server
}

func authorizationTimeout(field, text string, found *problems) time.Duration {
	if text == "" {
		return defaultAuthorizationTimeout
	}
	timeout, err := time.ParseDuration(text)
	switch {
	case err != nil:
		found.reject(ReasonInvalidDuration, "%s %.40q is not a duration: write a number with a unit, for example 1s or 250ms.", field, text)
	case timeout < MinTimeout || timeout > maxAuthorizationTimeout:
		found.reject(ReasonInvalidDuration, "%s %s is out of range: write a duration from %s to %s.", field, text, MinTimeout, maxAuthorizationTimeout)
	default:
		return timeout
	}
	found.effect("The timeout is %s.", defaultAuthorizationTimeout)
	return defaultAuthorizationTimeout
}
