package server

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// peer describes what is known of a peer. The limits of what a peer may send bound the document.
func peer(peers Peers, name string) report.Peer {
	imports, ok := peers.Imports(name)
	if !ok {
		return report.Peer{Name: name}
	}
	document := report.Peer{Name: name, Exchanged: true, StaleSince: optional(imports.StaleSince), Services: convert(imports.Services, peerService)}
	if !imports.Trusted.Until.IsZero() {
		document.Roots = string(imports.Trusted.RootsPEM)
	}
	return document
}

func peerService(s *catalog.PeerService) report.PeerService {
	return report.PeerService{Namespace: s.Name.Namespace, Name: s.Name.Name, Ports: convert(s.Ports, func(p catalog.PeerPort) report.PeerPort {
		return report.PeerPort{
			Number: p.Number, Ready: p.Ready,
			Servers: report.JoinAccounts(convert(p.Servers, func(a identity.PeerAccount) string { return a.Namespace + "/" + a.Name })),
			Clients: report.JoinAccounts(convert(p.Clients, identity.ServiceAccount.String)),
		}
	})}
}
