package ingest

import (
	"testing"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

func TestTracing(t *testing.T) {
	chart := catalog.Tracing{Address: "jaeger.osm-system.svc.cluster.local", Port: 9411, Path: "/api/v2/spans", Sampling: 100}
	otlp := catalog.Tracing{Address: "jaeger.osm-system.svc.cluster.local", Port: 4317, OTLP: true, Sampling: 100}
	sampled := chart
	sampled.Sampling = 0.5
	for name, c := range map[string]struct {
		spec     configv1alpha2.TracingSpec
		want     *catalog.Tracing
		problems []string
	}{
		"disabled": {configv1alpha2.TracingSpec{Address: "a b"}, nil, nil},
		"defaults": {configv1alpha2.TracingSpec{Enable: true}, &chart, nil},
		"other server": {
			configv1alpha2.TracingSpec{Enable: true, Address: "Zipkin.Trace.", Port: 80, Endpoint: "/zipkin"},
			&catalog.Tracing{Address: "zipkin.trace", Port: 80, Path: "/zipkin", Sampling: 100}, nil,
		},
		"the protocol of Zipkin": {configv1alpha2.TracingSpec{Enable: true, Protocol: configv1alpha2.TracingZipkin}, &chart, nil},
		"OTLP":                   {configv1alpha2.TracingSpec{Enable: true, Protocol: configv1alpha2.TracingOTLP}, &otlp, nil},
		"OTLP to a collector": {
			configv1alpha2.TracingSpec{Enable: true, Protocol: configv1alpha2.TracingOTLP, Address: "otel.trace", Port: 55680, SamplingPercentage: "5"},
			&catalog.Tracing{Address: "otel.trace", Port: 55680, OTLP: true, Sampling: 5}, nil,
		},
		"OTLP with a path": {
			configv1alpha2.TracingSpec{Enable: true, Protocol: configv1alpha2.TracingOTLP, Endpoint: "/api/v2/spans"},
			nil,
			[]string{"Malformed: endpoint is a path of the protocol Zipkin"},
		},
		"unknown protocol":   {configv1alpha2.TracingSpec{Enable: true, Protocol: "Thrift"}, nil, []string{`Malformed: protocol "Thrift" is unknown`}},
		"sampling":           {configv1alpha2.TracingSpec{Enable: true, SamplingPercentage: "0.5"}, &sampled, nil},
		"bad sampling":       {configv1alpha2.TracingSpec{Enable: true, SamplingPercentage: "101"}, &chart, []string{`Malformed: samplingPercentage "101" is not a percentage`}},
		"sampling of nobody": {configv1alpha2.TracingSpec{Enable: true, SamplingPercentage: "NaN"}, &chart, []string{"Malformed: samplingPercentage \"NaN\" is not a percentage"}},
		"bad address":        {configv1alpha2.TracingSpec{Enable: true, Address: "a b"}, nil, []string{`InvalidName: address "a b" is not a DNS name`}},
		"bad port":           {configv1alpha2.TracingSpec{Enable: true, Port: 70000}, nil, []string{"InvalidPort: port is 70000"}},
		"bad path":           {configv1alpha2.TracingSpec{Enable: true, Endpoint: "spans"}, nil, []string{`Malformed: endpoint "spans" is not a URL path`}},
	} {
		t.Run(name, func(t *testing.T) {
			var found Problems
			got := tracing(&c.spec, "osm-system", &found)
			expect(t, c.want, got, c.problems, found)
		})
	}
}
