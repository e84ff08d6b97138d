package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// TestPeer reads what a replica knows of a peer.
func TestPeer(t *testing.T) {
	ours := pki.New(t)
	want := report.Peer{Name: "west", Exchanged: true, Roots: "PEM", Services: []report.PeerService{
		{Namespace: "shop", Name: "cart", Ports: []report.PeerPort{{Number: 80, Ready: true, Servers: "shop/cart", Clients: "shop/till,shop/web"}}},
	}}
	address, _ := serve(t, ours, map[string]any{report.PeersPath + "west": want})
	answers, err := newClient(ours, "token", Replica{Name: "one", Address: address}).Peer(t.Context(), "west")
	if err != nil || answers[0].Err != nil {
		t.Fatal(err, answers)
	}
	if diff := cmp.Diff(want, answers[0].Value); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestLatestPeer checks which replica is believed.
func TestLatestPeer(t *testing.T) {
	moment := time.Unix(1_800_000_000, 0)
	later := moment.Add(time.Second)
	known := func(name string, stale *time.Time) Answer[report.Peer] {
		return Answer[report.Peer]{Value: report.Peer{Name: name, Exchanged: true, StaleSince: stale}}
	}
	absent, failed := Answer[report.Peer]{Value: report.Peer{Name: "absent"}}, Answer[report.Peer]{Err: errors.New("not reached")}
	for name, test := range map[string]struct {
		answers []Answer[report.Peer]
		want    string
		fails   bool
	}{
		"a stream":          {[]Answer[report.Peer]{known("stale", &later), failed, known("connected", nil), known("other", &moment)}, "connected", false},
		"the latest stream": {[]Answer[report.Peer]{known("earlier", &moment), known("later", &later), absent}, "later", false},
		"no replica":        {[]Answer[report.Peer]{absent, failed}, "", true},
		"no such peer":      {[]Answer[report.Peer]{absent, absent}, "", false},
	} {
		got, ok, err := LatestPeer(test.answers)
		if got.Name != test.want || ok != (test.want != "") || (err != nil) != test.fails {
			t.Errorf("%s: %q, %t, %v", name, got.Name, ok, err)
		}
	}
}

// TestLargestPeer checks that the document about a peer that uses all limits with the shortest names is accepted.
func TestLargestPeer(t *testing.T) {
	document := report.Peer{Exchanged: true}
	for range peering.MaxServices {
		service := report.PeerService{Namespace: "a", Name: "b"}
		for port := range peering.MaxPorts {
			service.Ports = append(service.Ports, report.PeerPort{Number: uint16(port), Servers: "a/b", Clients: strings.Repeat("a/b,", peering.MaxAccounts)})
		}
		document.Services = append(document.Services, service)
	}
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	var got report.Peer
	if err := decode(bytes.NewReader(text), &got); err != nil || len(got.Services) != peering.MaxServices {
		t.Errorf("%d Services, %v", len(got.Services), err)
	}
}
