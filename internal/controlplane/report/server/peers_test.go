package server

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/controlplane/peering"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	meshpeering "github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// noPeers is a mesh without peers.
type noPeers struct{}

func (noPeers) Imports(string) (peering.Imports, bool) { return peering.Imports{}, false }

// west is a mesh with the peer west.
type west peering.Imports

func (w west) Imports(peer string) (peering.Imports, bool) { return peering.Imports(w), peer == "west" }

// TestPeers checks what is reported about a peer, and about one that does not exist.
func TestPeers(t *testing.T) {
	known := west{
		State: peering.State{StaleSince: moment, Trusted: meshpeering.Trusted{RootsPEM: []byte("PEM"), Until: moment}},
		Services: []*catalog.PeerService{{Peer: "west", Name: entity.Name{Namespace: "shop", Name: "cart"}, Ports: []catalog.PeerPort{
			{Number: 80, Ready: true, Servers: []identity.PeerAccount{{Peer: "west", Namespace: "shop", Name: "cart"}}, Clients: []identity.ServiceAccount{{Namespace: "shop", Name: "till"}, {Namespace: "shop", Name: "web"}}},
			{Number: 90},
		}}},
	}
	handler := Handler(store{ready: true}, nil, nil, issuer(""), known, (&cluster{}).access(time.Now))
	var got, absent report.Peer
	read(t, handler, report.PeersPath+"west", &got)
	want := report.Peer{Name: "west", Exchanged: true, StaleSince: &moment, Roots: "PEM", Services: []report.PeerService{{
		Namespace: "shop", Name: "cart", Ports: []report.PeerPort{{Number: 80, Ready: true, Servers: "shop/cart", Clients: "shop/till,shop/web"}, {Number: 90}},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	read(t, handler, report.PeersPath+"east", &absent)
	if diff := cmp.Diff(report.Peer{Name: "east"}, absent); diff != "" {
		t.Errorf("another peer: -want +got:\n%s", diff)
	}
	known.Trusted.Until = time.Time{}
	known.StaleSince = time.Time{}
	read(t, Handler(store{ready: true}, nil, nil, issuer(""), known, (&cluster{}).access(time.Now)), report.PeersPath+"west", &absent)
	if absent.Roots != "" || absent.StaleSince != nil {
		t.Errorf("declared roots, and a stream: %+v", absent)
	}
}
