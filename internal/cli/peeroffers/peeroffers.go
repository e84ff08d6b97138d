package peeroffers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// Reports are those of the replicas of a control plane.
type Reports interface {
	Peer(ctx context.Context, name string) ([]reportclient.Answer[report.Peer], error)
}

// Offers is what the peers of a mesh offer to it.
type Offers struct {
	// Entries are those of the Services that are offered, and of roots that are followed.
	Entries []catalog.Entry
	// Unknown has why nothing is known of a peer, by its name.
	Unknown map[string]string
	// StaleSince has when the last stream to a peer ended, by its name. Peers with a stream are missing.
	StaleSince map[string]time.Time
}

// Unreadable are offers of which nothing is known, for one reason.
func Unreadable(peers []*catalog.Peer, reason string) Offers {
	o := Offers{Unknown: map[string]string{}}
	for _, peer := range peers {
		o.Unknown[peer.Name] = reason
	}
	return o
}

// Read reads what peers offer.
func Read(ctx context.Context, reports Reports, peers []*catalog.Peer) Offers {
	o := Offers{Unknown: map[string]string{}, StaleSince: map[string]time.Time{}}
	for _, peer := range peers {
		entries, stale, err := read(ctx, reports, peer.Name)
		if err != nil {
			o.Unknown[peer.Name] = err.Error()
			continue
		}
		o.Entries = append(o.Entries, entries...)
		if stale != nil {
			o.StaleSince[peer.Name] = *stale
		}
	}
	return o
}

func read(ctx context.Context, reports Reports, peer string) ([]catalog.Entry, *time.Time, error) {
	answers, err := reports.Peer(ctx, peer)
	if err != nil {
		return nil, nil, err
	}
	latest, ok, err := reportclient.LatestPeer(answers)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return nil, nil, errors.New("the control plane exchanges nothing with it, see `osm peer check`")
	}
	entries, err := entriesOf(peer, latest)
	return entries, latest.StaleSince, err
}

// entriesOf returns the entries that the control plane has of a peer.
func entriesOf(peer string, document report.Peer) ([]catalog.Entry, error) {
	var entries []catalog.Entry
	if document.Roots != "" {
		entries = append(entries, &catalog.PeerTrust{Peer: peer, RootsPEM: []byte(document.Roots)})
	}
	for _, offered := range document.Services {
		service := &catalog.PeerService{Peer: peer, Name: entity.Name{Namespace: offered.Namespace, Name: offered.Name}}
		for _, p := range offered.Ports {
			port, err := portOf(peer, p)
			if err != nil {
				return nil, err
			}
			service.Ports = append(service.Ports, port)
		}
		entries = append(entries, service)
	}
	return entries, nil
}

func portOf(peer string, p report.PeerPort) (catalog.PeerPort, error) {
	servers, err := accountsOf(p.Servers)
	if err != nil {
		return catalog.PeerPort{}, err
	}
	clients, err := accountsOf(p.Clients)
	ofPeer := func(a identity.ServiceAccount) identity.PeerAccount {
		return identity.PeerAccount{Peer: peer, Namespace: a.Namespace, Name: a.Name}
	}
	return catalog.PeerPort{Number: p.Number, Ready: p.Ready, Servers: lists.Map(servers, ofPeer), Clients: clients}, err
}

// accountsOf parses a list of accounts. It does not know their mesh.
func accountsOf(list string) ([]identity.ServiceAccount, error) {
	var accounts []identity.ServiceAccount
	for _, text := range report.SplitAccounts(list) {
		namespace, name, ok := strings.Cut(text, "/")
		if !ok || namespace == "" || name == "" {
			return nil, fmt.Errorf("the control plane reports an account %.80q, which has no namespace or name", text)
		}
		accounts = append(accounts, identity.ServiceAccount{Namespace: namespace, Name: name})
	}
	return accounts, nil
}
