package pods_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
)

// The sidecar of a client logs the connections that it closes, with both supported versions of Envoy, also if the client may call nothing.
func TestAccessLogNamesConnectionsClosedAtTheClient(t *testing.T) {
	for version, binary := range envoytest.Binaries(t) {
		t.Run(version, func(t *testing.T) {
			s := measuredShop(t, binary)
			none := &scope.Scope{Common: scope.Common{Key: s.clientScope().Key, TrustDomain: trustDomain}}
			for destination, c := range map[string]*scope.Scope{"10.96.0.99:80": s.clientScope(), "10.96.0.98:3306": none} {
				s.client.Configure(t, c, s.endpoints(c)...)
				if got, err := s.client.Exchange(t, destination, "hello\n"); got != "" {
					t.Fatalf("%s sends %q, %v, want a closed connection", destination, got, err)
				}
				s.awaitLog(t, "client", map[string]any{
					envoy.DestinationKey: destination, envoy.DeniedByKey: "no policy", "response_flags": "NR", "response_code_details": "filter_chain_not_found",
				})
			}
			awaitSeries(t, s.client, map[string]int{"connections_denied_total{" + ofClient + "}": 2})
		})
	}
}
