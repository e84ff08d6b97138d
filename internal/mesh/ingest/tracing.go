package ingest

import (
	"cmp"
	"strconv"
	"strings"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

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
		return &catalog.Tracing{Address: address, Port: uint16(port), OTLP: otlp, Path: path, Sampling: sampling(field, spec.SamplingPercentage, found)}
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
