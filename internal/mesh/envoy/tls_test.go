package envoy

import (
	"testing"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// TestTLSVersionsOverlap checks that every setting leaves a version that clients and servers share.
func TestTLSVersionsOverlap(t *testing.T) {
	const auto, v12, v13 = tlsv3.TlsParameters_TLS_AUTO, tlsv3.TlsParameters_TLSv1_2, tlsv3.TlsParameters_TLSv1_3
	for _, test := range []struct {
		minimum, maximum         string
		wantMinimum, wantMaximum tlsv3.TlsParameters_TlsProtocol
	}{
		{"", "", auto, auto},
		{"TLSv1_2", "TLSv1_3", v12, v13},
		{"TLSv1_2", "TLS_AUTO", v12, auto},
		{"TLSv1_3", "TLS_AUTO", v13, v13},
		{"TLSv1_3", "", v13, v13},
		{"unknown", "unknown", auto, auto},
	} {
		got := tlsParams(catalog.TLS{MinVersion: test.minimum, MaxVersion: test.maximum})
		if got.GetTlsMinimumProtocolVersion() != test.wantMinimum || got.GetTlsMaximumProtocolVersion() != test.wantMaximum {
			t.Errorf("%q to %q = %s", test.minimum, test.maximum, got)
		}
	}
}
