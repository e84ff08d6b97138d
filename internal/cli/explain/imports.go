package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// outcomeUnknown is the outcome of a request to a Service of a peer of whose offers nothing is known.
const outcomeUnknown = "unknown"

// Offers is what is known about the offers of a peer. Those that are known are entries of the catalog.
type Offers struct {
	// Unknown is why nothing is known; empty if the offers are known.
	Unknown string
	// StaleSince is when the last stream to the peer ended; zero while there is one.
	StaleSince time.Time
}

// offersOf returns what is known about the offers of a peer.
func (m Mesh) offersOf(peer string) Offers {
	if m.Offers == nil {
		return Offers{}
	}
	return m.Offers(peer)
}

// importedService is a Service behind which a peer can answer, for one client.
type importedService struct {
	consent *catalog.ServiceImport
	service *inventory.Service
	// number is the port that is called.
	number uint16
	client string
	// isAccepted is true if the peer counts.
	isAccepted bool
	offers     Offers
	// described is what the peer offers of the Service; nil for nothing. port is nil if the port is not offered.
	described *catalog.PeerService
	port      *catalog.PeerPort
	// share is how many percent of the requests the peer answers while both meshes have pods; 0 if it stands in only.
	share  uint32
	admits bool
}

// candidatesAt returns the candidates of a port, with what is known of peers.
func (m Mesh) candidatesAt(e evaluator, p servicePort) []Candidate {
	candidates := e.at(p)
	for i := range candidates {
		m.describeImport(e, p, &candidates[i])
	}
	return candidates
}

// describeImport adds to a candidate what is known of the peer behind its Service, and what the peer lacks.
func (m Mesh) describeImport(e evaluator, p servicePort, candidate *Candidate) {
	imported := m.importOf(e, p, candidate)
	if imported == nil {
		return
	}
	candidate.Import = imported.String()
	switch missing := imported.missing(); {
	case candidate.isAllowed() || !imported.isAccepted || !imported.isUsed():
	case imported.offers.Unknown != "":
		candidate.deny(outcomeUnknown, fmt.Sprintf("it depends on what the peer %s offers", imported.consent.Peer), "")
	case missing != "" && candidate.Destination == "":
		candidate.Missing = missing
	}
}

// importOf returns the import behind the Service that serves a candidate; nil without one.
func (m Mesh) importOf(e evaluator, p servicePort, candidate *Candidate) *importedService {
	service := e.v.Service(nameOf(cmp.Or(candidate.At, candidate.Service)))
	if service == nil {
		return nil
	}
	consent := e.v.Import(service.Name)
	if consent == nil {
		return nil
	}
	i := &importedService{consent: consent, service: service, number: p.port.Number, client: e.caller.String()}
	i.isAccepted, i.offers = e.v.Peer(consent.Peer) != nil, m.offersOf(consent.Peer)
	if i.described, i.share = e.v.ServiceOfPeer(service); i.described == nil {
		return i
	}
	// A TrafficSplit keeps the number of the port. A route can have another one, of which a Service usually has one only.
	if port, ok := i.described.Port(p.port.Number); ok {
		i.port = &port
	} else if candidate.At != "" {
		i.port = &i.described.Ports[0]
	}
	i.admits = i.port != nil && slices.Contains(i.port.Clients, e.caller)
	return i
}

// isUsed reports whether requests can go to the peer: the Service has no pods of its own, or the peer may stand in for them.
func (i *importedService) isUsed() bool { return !i.service.HasSelector() || i.consent.Joined }

// String describes the import.
func (i *importedService) String() string {
	peer := i.consent.Peer
	if !i.isUsed() {
		return fmt.Sprintf("the ServiceImport from the peer %s is not used, because the Service has a selector", peer)
	}
	text := "from the peer " + peer
	switch {
	case i.share > 0:
		text += fmt.Sprintf(", for %d%% of the requests, and for all while no pod of this cluster is available (spread)", i.share)
	case i.service.HasSelector():
		text += ", while no pod of this cluster is available (failover)"
	}
	if !i.isAccepted {
		return text + ", which is not accepted"
	}
	if i.offers.Unknown != "" {
		return text + ". What it offers is unknown: " + i.offers.Unknown
	}
	text += ". " + i.state()
	if !i.offers.StaleSince.IsZero() {
		text += ". This is what it said before the stream between the control planes ended, at " + i.offers.StaleSince.UTC().Format(time.RFC3339)
	}
	return text
}

// state describes what the peer offers.
func (i *importedService) state() string {
	switch {
	case i.described == nil:
		return "It does not offer the Service to this mesh"
	case i.port == nil:
		return "It offers " + portNumbers(i.described)
	}
	access, pods := "It admits ", "a ready pod"
	if !i.admits {
		access = "It does not admit "
	}
	if !i.port.Ready {
		pods = "no ready pod"
	}
	return access + i.client + ", and has " + pods
}

// missing is what the peer lacks for the client, with the remedy; empty for nothing.
func (i *importedService) missing() string {
	namespace, account, _ := strings.Cut(i.client, "/")
	source := fmt.Sprintf("a TrafficTarget with the source {kind: PeerServiceAccount, name: MESH/%s, namespace: %s}, where MESH is its MeshPeer of this mesh", account, namespace)
	switch {
	case i.described == nil:
		return fmt.Sprintf("an offer of the peer %s. In its cluster, it needs the output of `osm peer export %s --to MESH`, and %s", i.consent.Peer, i.service.Name, source)
	case i.port == nil:
		return fmt.Sprintf("port %d among those that the peer %s offers: use its ports in the Service %s", i.number, i.consent.Peer, i.service.Name)
	case !i.admits:
		return fmt.Sprintf("a permission of the peer %s. In its cluster, it needs %s", i.consent.Peer, source)
	case !i.port.Ready:
		return fmt.Sprintf("a ready pod behind the Service of the peer %s", i.consent.Peer)
	}
	return ""
}

func portNumbers(service *catalog.PeerService) string {
	numbers := lists.Map(service.Ports, func(p catalog.PeerPort) string { return strconv.Itoa(int(p.Number)) })
	if len(numbers) == 1 {
		return "the port " + numbers[0]
	}
	return "the ports " + strings.Join(numbers, ", ")
}

// responseOfPeer describes the response of an allowed request to a Service of a peer.
func responseOfPeer(peer string, protocol inventory.Protocol) string {
	if protocol.IsHTTP() {
		return fmt.Sprintf("it reaches the Service of the peer %s, which decides about each request", peer)
	}
	return "it reaches the Service of the peer " + peer
}

// setUnknown sets that the verdict is unknown, if it is so because of what peers offer.
func (a *Answer) setUnknown() {
	isUnknown := func(c Candidate) bool { return c.Outcome == outcomeUnknown }
	isDenied := func(c Candidate) bool { return !isUnknown(c) && !c.isAllowed() }
	a.Unknown = len(a.Missing) == 0 && slices.ContainsFunc(a.Candidates, isUnknown) && !slices.ContainsFunc(a.Candidates, isDenied)
	a.Partly = a.Partly && !a.Unknown
}

// missingImport returns why the peer behind the called Service does not count. A Service with pods of its own does without.
func (m Mesh) missingImport(v *catalog.View, ports []servicePort) []diagnosis.Finding {
	for _, p := range ports {
		if consent := v.Import(p.service.Name); consent != nil && !p.service.HasSelector() {
			return m.missingPeer(v, consent.Peer)
		}
	}
	return nil
}
