package envoy_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// TestEnvoyAcceptsTLSNames validates every cipher suite and curve that a MeshConfig may contain with the real Envoy.
func TestEnvoyAcceptsTLSNames(t *testing.T) {
	ca, base := pki.New(t), scopes(t)["tls"]
	sets := map[string][]envoy.Resource{}
	with := func(name string, tls catalog.TLS) {
		s := *base
		s.TLS = tls
		sets[name] = complete(t, ca, &s)
	}
	for _, name := range ingest.CipherSuites() {
		with("cipher "+name, catalog.TLS{CipherSuites: []string{name}})
	}
	for _, name := range ingest.ECDHCurves() {
		with("curve "+name, catalog.TLS{ECDHCurves: []string{name}})
	}
	with("all", catalog.TLS{CipherSuites: ingest.CipherSuites(), ECDHCurves: ingest.ECDHCurves()})
	envoytest.Validate(t, sets)
}
