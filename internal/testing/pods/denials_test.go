package pods_test

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"google.golang.org/protobuf/proto"
	"testing"
	"time"

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

// Sidecars send what they deny to the control plane, with both supported versions of Envoy: a connection without a policy at the client, a request
// and a connection at the server, and a connection without a certificate. They send nothing else.
func TestDenialsAreSentToTheControlPlane(t *testing.T) {
	for version, binary := range envoytest.Binaries(t) {
		t.Run(version, func(t *testing.T) { testDenialsAreSent(t, binary) })
	}
}

func testDenialsAreSent(t *testing.T, binary string) {
	s := measuredShop(t, binary)
	stranger := s.network.Bare(t)
	server := s.serverScope()
	server.Inbound[1].Rules = authz.Rules{Network: []authz.NetworkRule{{Policy: "shop/other", Sources: []identity.ServiceAccount{thief}}}}
	s.server.Configure(t, server)
	for url, status := range map[string]int{
		webIP.String() + "/books/1": 200, webIP.String() + "/admin": 403, webIP.String() + "/none": 404, s.server.IP.String() + "/": 503,
	} {
		if answer := s.client.Get(t, "http://"+url); answer.Status != status {
			t.Fatalf("%s answers %v, want %d", url, answer, status)
		}
	}
	_, _ = s.client.Exchange(t, unknownIP+":80", "hello\n")
	_, _ = stranger.Exchange(t, s.server.IP.String()+":8080", "GET / HTTP/1.0\r\n\r\n")
	eventually.True(t, 20*time.Second, "all denials are sent", func() bool {
		return len(s.network.Denials("client")) == 1 && len(s.network.Denials("server")) >= 4
	})
	for _, e := range append(s.network.Denials("client"), s.network.Denials("server")...) {
		t.Logf("%d bytes: %v", proto.Size(e), e)
	}
}
