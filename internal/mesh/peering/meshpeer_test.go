package peering_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"

	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// TestMeshPeers reads MeshPeers with and without defaults.
func TestMeshPeers(t *testing.T) {
	roots := pki.New(t).RootPEM
	spec := operatorv1alpha1.MeshPeerSpec{
		Mesh: "osm", TrustDomain: "east.example", Trust: operatorv1alpha1.PeerTrust{CABundle: operatorv1alpha1.CABundle(roots)},
		Gateways: []operatorv1alpha1.PeerGatewayAddress{{Address: "::ffff:192.0.2.7"}, {Address: "192.0.2.8", Port: ptr.To[int32](1)}},
	}
	want := catalog.Peer{
		Name: "east", TrustDomain: "east.example", RootsPEM: roots, Follow: true, Gateways: []catalog.Server{{Host: "192.0.2.7", Port: 15443}, {Host: "192.0.2.8", Port: 1}},
	}
	for name, edit := range map[string]func(*operatorv1alpha1.MeshPeerSpec, *catalog.Peer){
		"defaults": func(*operatorv1alpha1.MeshPeerSpec, *catalog.Peer) {},
		"through the gateway": func(s *operatorv1alpha1.MeshPeerSpec, _ *catalog.Peer) {
			s.Outbound = ptr.To(operatorv1alpha1.PeerOutboundOwnGateway)
		},
		"direct": func(s *operatorv1alpha1.MeshPeerSpec, p *catalog.Peer) {
			s.Outbound, p.Direct = ptr.To(operatorv1alpha1.PeerOutboundDirect), true
		},
		"not followed": func(s *operatorv1alpha1.MeshPeerSpec, p *catalog.Peer) {
			s.Trust.Follow, p.Follow = ptr.To(false), false
		},
	} {
		object, expected := &operatorv1alpha1.MeshPeer{Spec: spec}, want
		object.Name = "east"
		edit(&object.Spec, &expected)
		got, problems := peering.MeshPeer("osm")(object)
		if len(problems) > 0 || got == nil {
			t.Fatalf("%s: problems %v", name, problems)
		}
		got.Created = expected.Created
		if diff := cmp.Diff(&expected, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	object := &operatorv1alpha1.MeshPeer{Spec: spec}
	if got, problems := peering.MeshPeer("other")(object); got != nil || len(problems) > 0 {
		t.Errorf("the peer of another mesh is %+v, problems %v", got, problems)
	}
}
