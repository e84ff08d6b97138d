package peeroffers_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/cli/peeroffers"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// replica reports peers by name. It does not know others.
type replica map[string]report.Peer

func (r replica) Peer(_ context.Context, name string) ([]reportclient.Answer[report.Peer], error) {
	if name == "unreached" {
		return nil, errors.New("no replica of the control plane is running")
	}
	return []reportclient.Answer[report.Peer]{{Value: r[name]}}, nil
}

// TestRead reads what several peers offer, of which some are not known.
func TestRead(t *testing.T) {
	stale := time.Unix(1_800_000_000, 0)
	service := func(clients string) []report.PeerService {
		return []report.PeerService{{Namespace: "shop", Name: "cart", Ports: []report.PeerPort{{Number: 80, Ready: true, Servers: "shop/cart", Clients: clients}}}}
	}
	reported := replica{
		"east":  {Exchanged: true, Services: service("shop/till,shop/web")},
		"west":  {Exchanged: true, StaleSince: &stale, Roots: "PEM", Services: service("")},
		"wrong": {Exchanged: true, Services: service("shop")},
	}
	peers := []*catalog.Peer{Peer("east", "east.example"), Peer("other", "other.example"), Peer("unreached", "u.example"), Peer("west", "west.example"), Peer("wrong", "w.example")}
	got := peeroffers.Read(t.Context(), reported, peers)
	offered := func(peer string, clients ...identity.ServiceAccount) *catalog.PeerService {
		return &catalog.PeerService{Peer: peer, Name: Name("shop", "cart"), Ports: []catalog.PeerPort{
			{Number: 80, Ready: true, Servers: []identity.PeerAccount{{Peer: peer, Namespace: "shop", Name: "cart"}}, Clients: clients},
		}}
	}
	want := []catalog.Entry{offered("east", SA("shop", "till"), SA("shop", "web")), &catalog.PeerTrust{Peer: "west", RootsPEM: []byte("PEM")}, offered("west")}
	if diff := cmp.Diff(want, got.Entries); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]time.Time{"west": stale}, got.StaleSince); diff != "" {
		t.Errorf("stale (-want +got):\n%s", diff)
	}
	for peer, want := range map[string]string{"other": "exchanges nothing with it", "unreached": "no replica", "wrong": `an account "shop"`, "east": "", "west": ""} {
		if reason := got.Unknown[peer]; !strings.Contains(reason, want) || (reason == "") != (want == "") {
			t.Errorf("%s: %q, want %q", peer, reason, want)
		}
	}
}
