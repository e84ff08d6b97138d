package envoy

import (
	"testing"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// TestTLSVersions: whatever is said, a version is left that clients and servers speak.
func TestTLSVersions(t *testing.T) {
	const auto, v12, v13 = tlsv3.TlsParameters_TLS_AUTO, tlsv3.TlsParameters_TLSv1_2, tlsv3.TlsParameters_TLSv1_3
	for _, test := range []struct {
		least, most         string
		wantLeast, wantMost tlsv3.TlsParameters_TlsProtocol
	}{
		{"", "", auto, auto},
		{"TLSv1_2", "TLSv1_3", v12, v13},
		{"TLSv1_2", "TLS_AUTO", v12, auto},
		{"TLSv1_3", "TLS_AUTO", v13, v13},
		{"TLSv1_3", "", v13, v13},
		{"unknown", "unknown", auto, auto},
	} {
		got := tlsParams(catalog.TLS{MinVersion: test.least, MaxVersion: test.most})
		if got.GetTlsMinimumProtocolVersion() != test.wantLeast || got.GetTlsMaximumProtocolVersion() != test.wantMost {
			t.Errorf("%q to %q = %s", test.least, test.most, got)
		}
	}
}
