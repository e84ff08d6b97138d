package ingest

import (
	"slices"
	"strings"
	"testing"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// TestEffectsOfStoredValues checks that the status of a MeshConfig names the value in use where the stored one cannot be used.
func TestEffectsOfStoredValues(t *testing.T) {
	for name, test := range map[string]struct {
		spec configv1alpha2.MeshConfigSpec
		want string
	}{
		"lifetime":      {configv1alpha2.MeshConfigSpec{Certificate: configv1alpha2.CertificateSpec{ServiceCertValidityDuration: "soon"}}, "Certificates are valid for 24h0m0s."},
		"no lifetime":   {configv1alpha2.MeshConfigSpec{Certificate: configv1alpha2.CertificateSpec{ServiceCertValidityDuration: "0s"}}, "Certificates are valid for 24h0m0s."},
		"short":         {configv1alpha2.MeshConfigSpec{Certificate: configv1alpha2.CertificateSpec{ServiceCertValidityDuration: "59s"}}, "Certificates are valid for 1m0s."},
		"resync":        {configv1alpha2.MeshConfigSpec{Sidecar: configv1alpha2.SidecarSpec{ConfigResyncInterval: "soon"}}, "Nothing is resynchronised."},
		"TLS version":   {configv1alpha2.MeshConfigSpec{Sidecar: configv1alpha2.SidecarSpec{TLSMaxProtocolVersion: "TLSv2"}}, "Sidecars use TLSv1_2 to TLSv1_3."},
		"TLS range":     {configv1alpha2.MeshConfigSpec{Sidecar: configv1alpha2.SidecarSpec{TLSMinProtocolVersion: "TLSv1_3", TLSMaxProtocolVersion: "TLSv1_2"}}, "Sidecars use TLSv1_2 to TLSv1_3."},
		"cipher suites": {configv1alpha2.MeshConfigSpec{Sidecar: configv1alpha2.SidecarSpec{CipherSuites: []string{"RC4"}}}, "These are left out."},
		"sampling": {
			configv1alpha2.MeshConfigSpec{Observability: configv1alpha2.ObservabilitySpec{Tracing: configv1alpha2.TracingSpec{Enable: true, Address: "jaeger.tracing", SamplingPercentage: "-1"}}}, "All traces are sent.",
		},
		"tracing server": {
			configv1alpha2.MeshConfigSpec{Observability: configv1alpha2.ObservabilitySpec{Tracing: configv1alpha2.TracingSpec{Enable: true, Address: "a b"}}}, "No traces are sent.",
		},
		"log level": {configv1alpha2.MeshConfigSpec{Observability: configv1alpha2.ObservabilitySpec{OSMLogLevel: "loud"}}, `spec.observability.osmLogLevel "loud" is not a log level and means info`},
		"key size":  {configv1alpha2.MeshConfigSpec{Certificate: configv1alpha2.CertificateSpec{CertKeyBitSize: 1024}}, "spec.certificate.certKeyBitSize 1024 is out of range and means 2048"},
	} {
		config := &configv1alpha2.MeshConfig{Spec: test.spec}
		_, found := MeshConfig(config)
		if !slices.ContainsFunc(found, func(p Problem) bool { return strings.Contains(p.StatusMessage(), test.want) }) {
			t.Errorf("%s: the problems %+v lack %q", name, found, test.want)
		}
	}
	valid := configv1alpha2.MeshConfigSpec{Observability: configv1alpha2.ObservabilitySpec{OSMLogLevel: "debug"}, Certificate: configv1alpha2.CertificateSpec{CertKeyBitSize: 4096, ServiceCertValidityDuration: "1m"}}
	if _, found := MeshConfig(&configv1alpha2.MeshConfig{Spec: valid}); len(found) > 0 {
		t.Errorf("a valid MeshConfig has the problems %+v", found)
	}
}

// TestNewPodFieldsAreNamed checks that only set fields are named.
func TestNewPodFieldsAreNamed(t *testing.T) {
	spec := &configv1alpha2.MeshConfigSpec{}
	if got := NewPodFields(spec); len(got) > 0 {
		t.Errorf("without a value the fields %v are named", got)
	}
	spec.Sidecar.LogLevel, spec.Sidecar.Destinations, spec.Sidecar.EnvoyImage = "debug", configv1alpha2.DestinationsAuto, "envoy:1"
	if got, want := NewPodFields(spec), []string{"spec.sidecar.logLevel", "spec.sidecar.destinations"}; !slices.Equal(got, want) {
		t.Errorf("the fields %v are named, want %v", got, want)
	}
}

// TestUnusedTLSNeedsPorts checks that a policy without usable ports gets no advice about their protocol.
func TestUnusedTLSNeedsPorts(t *testing.T) {
	gateway := &catalog.EgressGateway{TLS: &catalog.EgressTLS{}}
	for name, test := range map[string]struct {
		ports []catalog.EgressPort
		want  int
	}{
		"none":  {nil, 0},
		"https": {[]catalog.EgressPort{{Number: 443, Protocol: catalog.ProtocolHTTPS}}, 1},
		"both":  {[]catalog.EgressPort{{Number: 443, Protocol: catalog.ProtocolHTTPS}, {Number: 80, Protocol: inventory.ProtocolHTTP}}, 0},
	} {
		var found Problems
		warnUnusedTLS(&catalog.Egress{Ports: test.ports, Gateway: gateway}, &found)
		if len(found) != test.want {
			t.Errorf("%s: the warnings are %+v, want %d", name, found, test.want)
		}
	}
}
