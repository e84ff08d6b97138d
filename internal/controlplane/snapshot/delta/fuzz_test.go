package delta

import (
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// FuzzRequests sends any requests of one client, each with a length in front. The sequencer rejects or answers each one, and always
// stops sending without further input.
func FuzzRequests(f *testing.F) {
	encode := func(requests ...*discovery.DeltaDiscoveryRequest) []byte {
		var all []byte
		for _, r := range requests {
			text, err := proto.Marshal(r)
			if err != nil || len(text) > 255 {
				f.Fatalf("a seed has %d bytes: %v", len(text), err)
			}
			all = append(append(all, byte(len(text))), text...)
		}
		return all
	}
	clusters, endpoints := resourcetype.Clusters.URL(), resourcetype.Endpoints.URL()
	f.Add(encode(&discovery.DeltaDiscoveryRequest{TypeUrl: clusters}, &discovery.DeltaDiscoveryRequest{TypeUrl: clusters, ResponseNonce: "1"}))
	f.Add(encode(
		&discovery.DeltaDiscoveryRequest{TypeUrl: clusters, InitialResourceVersions: map[string]string{"a": "1", "": "x"}, ResourceNamesSubscribe: []string{"*", "a"}},
		&discovery.DeltaDiscoveryRequest{TypeUrl: endpoints, ResourceNamesSubscribe: []string{"a"}, ResourceNamesUnsubscribe: []string{"a", "b"}},
		&discovery.DeltaDiscoveryRequest{TypeUrl: clusters, ResponseNonce: "1", ErrorDetail: &rpc.Status{Message: "no"}},
	))
	f.Add(encode(&discovery.DeltaDiscoveryRequest{TypeUrl: "other"}))
	f.Add(encode(
		&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Listeners.URL(), InitialResourceVersions: map[string]string{envoy.InboundListener: "0a:AAAAAAAAAAAAAAAA-0b"}},
		&discovery.DeltaDiscoveryRequest{
			TypeUrl: resourcetype.Extensions.URL(), InitialResourceVersions: map[string]string{tcpPermissions: "0c=AAAAAAAA;1111111111111111"}, ResourceNamesSubscribe: []string{tcpPermissions},
		},
	))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := newConversation(t)
		c.put(resourcetype.Clusters, "a", "1")
		c.put(resourcetype.Endpoints, "a", "1")
		c.put(resourcetype.Listeners, "l", "1")
		c.place(inboundListener(t, "a"))
		c.place(permissionsOf(t, "a"))
		for len(data) > 0 {
			end := min(1+int(data[0]), len(data))
			req := &discovery.DeltaDiscoveryRequest{}
			if proto.Unmarshal(data[1:end], req) == nil {
				if _, err := c.q.handleRequest(req, c.snapshot, c.now); err != nil {
					return // the stream ends
				}
			}
			data = data[end:]
			c.now = c.now.Add(time.Second)
			for sent := 0; c.q.next(c.snapshot, c.now) != nil; sent++ {
				if sent > int(resourcetype.NumTypes) {
					t.Fatal("the sequencer sends without waiting for answers")
				}
			}
		}
	})
}
