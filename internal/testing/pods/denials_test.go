package pods_test

import (
	stdcmp "cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// The sidecar of a client logs the connections that it closes, with both supported versions of Envoy, also if the client may call nothing.
func TestAccessLogNamesConnectionsClosedAtTheClient(t *testing.T) {
	t.Parallel()
	for version, binary := range envoytest.Binaries(t) {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
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
		})
	}
}

// Sidecars send what they deny to the control plane, with both supported versions of Envoy: a connection without a policy at the client, a request
// and a connection at the server, and a connection without a certificate. They send nothing else.
func TestDenialsAreSentToTheControlPlane(t *testing.T) {
	t.Parallel()
	for version, binary := range envoytest.Binaries(t) {
		t.Run(version, func(t *testing.T) { testDenialsAreSent(t, binary) })
	}
}

func testDenialsAreSent(t *testing.T, binary string) {
	t.Parallel()
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
	want := map[string][]string{
		"client": {unknownIP + ":80 filter_chain_not_found "},
		"server": {
			s.server.IP.String() + ":8080 filter_chain_not_found ",
			s.server.IP.String() + ":8080 rbac_access_denied_matched_policy[none] buyer.shop.cluster.local",
			s.server.IP.String() + ":8080 route_not_found buyer.shop.cluster.local",
			s.server.IP.String() + ":8081 rbac_access_denied_matched_policy[none] buyer.shop.cluster.local",
		},
	}
	got := map[string][]string{}
	eventually.True(t, 20*time.Second, "all denials are sent", func() bool {
		for pod := range want {
			got[pod] = sentDenials(t, s.network, pod)
		}
		return len(got["client"]) >= len(want["client"]) && len(got["server"]) >= len(want["server"])
	})
	for pod := range got { // the client connects again after a denied connection
		got[pod] = slices.Compact(got[pod])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("denials (-want +got):\n%s", diff)
	}
}

// sentDenials returns the destination, the details and the client of the denials that a sidecar has sent, sorted.
func sentDenials(t *testing.T, n *pods.Network, pod string) []string {
	var list []string
	for _, e := range n.Denials(pod) {
		if size := proto.Size(e); size > 1000 {
			t.Errorf("a denial has %d bytes: %v", size, e)
		}
		tags, address := e.GetCustomTags(), e.GetDownstreamLocalAddress().GetSocketAddress()
		details := stdcmp.Or(tags[envoy.DetailsTag], e.GetConnectionTerminationDetails())
		list = append(list, fmt.Sprintf("%s:%d %s %s", address.GetAddress(), address.GetPortValue(), details, tags[envoy.IdentityTag]))
	}
	return slices.Sorted(slices.Values(list))
}
