package plan

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// asIfNothing says what an edit is compared with if the offers of a peer are unknown.
const asIfNothing = "Calls to its Services are compared as if it offered nothing."

// addOffers adds what peers offer to a mesh if it imports Services, or does so after the edit. It returns which offers are unknown.
func (s Subject) addOffers(before *load.Loaded, e *Edit) []string {
	peers := before.Catalog.View().Peers()
	imported := append(importedPeers(before), importedAfter(e)...)
	peers = lists.Filter(peers, func(p *catalog.Peer) bool { return slices.Contains(imported, p.Name) })
	if s.Offers == nil || len(peers) == 0 {
		return nil
	}
	offers := s.Offers(peers)
	before.Add(offers.Entries)
	var unknown []string
	for _, peer := range peers {
		if reason := offers.Unknown[peer.Name]; reason != "" {
			unknown = append(unknown, fmt.Sprintf("What the peer %s offers is unknown: %s. %s", peer.Name, reason, asIfNothing))
		}
	}
	return unknown
}

// importedPeers returns the names of the peers from which a mesh imports Services.
func importedPeers(l *load.Loaded) []string {
	return lists.Map(load.Sorted(l, func(*catalog.ServiceImport) bool { return true }), func(i *catalog.ServiceImport) string { return i.Peer })
}

// importedAfter returns the names of the peers from which an edit imports Services.
func importedAfter(e *Edit) []string {
	var peers []string
	for _, object := range e.Put {
		if isImport(object) {
			if consent, _ := ingest.ServiceImport(object); consent != nil {
				peers = append(peers, consent.Peer)
			}
		}
	}
	return peers
}

func isImport(object *unstructured.Unstructured) bool {
	return object.GroupVersionKind().GroupKind() == kinds.ServiceImport.GroupKind()
}

// unknownOffers returns which peers are new, and imported from: nobody knows yet what they offer.
func unknownOffers(before, after *load.Loaded) []string {
	old, imported := before.Catalog.View(), importedPeers(after)
	var unknown []string
	for _, peer := range after.Catalog.View().Peers() {
		if old.Peer(peer.Name) == nil && slices.Contains(imported, peer.Name) {
			unknown = append(unknown, fmt.Sprintf("What the peer %s offers is unknown before it is one. %s", peer.Name, asIfNothing))
		}
	}
	return unknown
}
