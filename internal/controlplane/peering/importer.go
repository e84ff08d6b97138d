package peering

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Limits of what a peer may send.
const (
	// MaxMessageBytes is the maximum size of a message.
	MaxMessageBytes = 1 << 20
	// maxRecordBytes is the maximum size of a signed record, and maxTotalBytes that of all records of a peer.
	maxRecordBytes = 256 << 10
	maxTotalBytes  = 4 << 20
	// maxResources and maxRemoved are how many records of a message are changed and removed.
	maxResources = 256
	maxRemoved   = 1024
	// maxHeld is how many records are held, also of kinds that a later version has. maxRejected is how many are remembered as rejected.
	maxHeld     = maxResources
	maxRejected = 256
	// maxVersionBytes is the maximum length of a version or nonce.
	maxVersionBytes = 128
)

// importer holds what one peer has said. It does no I/O and has no lock.
type importer struct {
	peer      Peer
	peers     *registry
	audiences func() []string
	now       func() time.Time

	held map[string]*heldRecord
	// bytes is the size of all held records.
	bytes    int
	rejected map[string]error
	trail    trail
}

// heldRecord is a record in force.
type heldRecord struct {
	version, signed string
	record          peering.Record
	// service is nil for other kinds.
	service *catalog.PeerService
	// unverified is true if the roots of the peer have changed since the record arrived. The peer is asked to send it again.
	unverified bool
}

func newImporter(peer Peer, peers *registry, audiences func() []string, now func() time.Time) *importer {
	return &importer{peer: peer, peers: peers, audiences: audiences, now: now, held: map[string]*heldRecord{}, rejected: map[string]error{}}
}

// unknownVersion is the version of a record that must be sent again.
const unknownVersion = "0"

// versions returns the versions of the held records, for a new stream.
func (i *importer) versions() map[string]string {
	versions := make(map[string]string, len(i.held))
	for name, held := range i.held {
		versions[name] = held.version
		if held.unverified {
			versions[name] = unknownVersion
		}
	}
	return versions
}

// received is what a response changes.
type received struct {
	changes []catalog.Change
	// rejected describes records that are rejected; nil without any.
	rejected error
}

// receive processes a response. After an error the stream must end.
func (i *importer) receive(response *discovery.DeltaDiscoveryResponse) (received, error) {
	if err := checkResponse(response); err != nil {
		return received{}, err
	}
	var result received
	for _, name := range response.GetRemovedResources() {
		result.changes = append(result.changes, i.remove(name)...)
	}
	for _, resource := range response.GetResources() {
		changes, err := i.accept(resource)
		result.changes = append(result.changes, changes...)
		if err == nil {
			delete(i.rejected, resource.GetName())
			continue
		}
		if _, known := i.rejected[resource.GetName()]; known || len(i.rejected) < maxRejected {
			i.rejected[resource.GetName()] = shorten(err)
		}
		if result.rejected == nil {
			result.rejected = fmt.Errorf("%q: %w", resource.GetName(), err)
		}
	}
	return result, nil
}

// checkResponse rejects a response that no server of a mesh sends.
func checkResponse(response *discovery.DeltaDiscoveryResponse) error {
	switch {
	case response.GetTypeUrl() != typeURL:
		return reject(ReasonProtocol, errors.New("a response has an unknown type"))
	case len(response.GetNonce()) > maxVersionBytes:
		return reject(ReasonProtocol, errors.New("a nonce is too long"))
	case len(response.GetResources()) > maxResources || len(response.GetRemovedResources()) > maxRemoved:
		return reject(ReasonProtocol, errors.New("a response has too many records"))
	}
	for _, resource := range response.GetResources() {
		if len(resource.GetName()) > peering.MaxNameBytes || len(resource.GetVersion()) > maxVersionBytes {
			return reject(ReasonProtocol, errors.New("a name or a version is too long"))
		}
	}
	return nil
}

// remove forgets a record. The trust of a peer remains: it says what its roots were.
func (i *importer) remove(name string) []catalog.Change {
	delete(i.rejected, name)
	held := i.held[name]
	if held == nil || name == peering.TrustName {
		return nil
	}
	delete(i.held, name)
	i.bytes -= len(held.signed)
	if held.service == nil {
		return nil
	}
	return []catalog.Change{{Ref: held.service.Ref()}}
}

// accept verifies a resource and holds it.
func (i *importer) accept(resource *discovery.Resource) ([]catalog.Change, error) {
	var value wrapperspb.BytesValue
	if resource.GetResource().GetTypeUrl() != typeURL {
		return nil, reject(ReasonInvalid, errors.New("it has an unknown type"))
	}
	if err := proto.Unmarshal(resource.GetResource().GetValue(), &value); err != nil {
		return nil, reject(ReasonInvalid, err)
	}
	if len(value.GetValue()) > maxRecordBytes {
		return nil, reject(ReasonTooManyBytes, fmt.Errorf("it has %d bytes, the limit is %d", len(value.GetValue()), maxRecordBytes))
	}
	trusted, ok := i.peers.trusted(i.peer.Name)
	if !ok {
		return nil, errUnknownPeer
	}
	held := &heldRecord{version: strings.Clone(resource.GetVersion()), signed: string(value.GetValue())}
	return i.hold(resource.GetName(), held, i.verifier(false), trusted.RootsPEM)
}

func (i *importer) verifier(stored bool) verifier {
	return verifier{trustDomain: i.peer.TrustDomain, audiences: i.audiences(), now: i.now(), stored: stored}
}

// hold verifies a record and puts it in force, in place of the earlier one of its name.
func (i *importer) hold(name string, held *heldRecord, v verifier, roots []byte) ([]catalog.Change, error) {
	record, err := v.verify(held.signed, roots)
	if err != nil {
		return nil, err
	}
	if record.ResourceName() != name {
		return nil, reject(ReasonInvalid, errors.New("it describes something else"))
	}
	held.record = record
	before := i.held[name]
	if err := i.checkLimits(before, held); err != nil {
		return nil, err
	}
	changes, err := i.read(held, v.stored)
	if err != nil {
		return nil, err
	}
	if before != nil {
		i.bytes -= len(before.signed)
	}
	i.held[name] = held
	i.bytes += len(held.signed)
	held.record.Service = nil // the entry has the content
	return changes, nil
}

// checkLimits rejects a record that exceeds a limit, or is older than the one that is in force.
func (i *importer) checkLimits(before, held *heldRecord) error {
	size, services := i.bytes+len(held.signed), i.services()
	if before != nil {
		size -= len(before.signed)
		if before.record.Epoch == held.record.Epoch && held.record.Generation < before.record.Generation {
			return reject(ReasonOldGeneration, fmt.Errorf("its generation is %d, and %d is known", held.record.Generation, before.record.Generation))
		}
	}
	if size > maxTotalBytes {
		return reject(ReasonTooManyBytes, fmt.Errorf("all records have more than %d bytes", maxTotalBytes))
	}
	if before == nil && len(i.held) >= maxHeld {
		return reject(ReasonTooManyServices, fmt.Errorf("there are more than %d records", maxHeld))
	}
	if before == nil && held.record.Kind == peering.KindService && services >= peering.MaxServices {
		return reject(ReasonTooManyServices, fmt.Errorf("there are more than %d Services", peering.MaxServices))
	}
	return nil
}

func (i *importer) services() int {
	services := 0
	for _, held := range i.held {
		if held.service != nil {
			services++
		}
	}
	return services
}

// read reads the content of a record. Records of unknown kinds are kept, because a later version may have more.
func (i *importer) read(held *heldRecord, stored bool) ([]catalog.Change, error) {
	switch held.record.Kind {
	case peering.KindService:
		service, err := held.record.PeerService(i.peer.Name)
		if err != nil {
			return nil, rejectInvalid(err)
		}
		held.service = service
		return []catalog.Change{catalog.Set(service)}, nil
	case peering.KindTrust:
		return nil, i.readTrust(held, stored)
	default:
		return nil, nil
	}
}

// setPeer replaces the declaration of the peer. Records stay in force although their signatures may lead to roots that are not trusted any more: they only say
// which accounts serve, and sidecars verify those. They are requested again.
func (i *importer) setPeer(peer Peer) []catalog.Change {
	before := i.peer
	i.peer = peer
	if before.TrustDomain != peer.TrustDomain {
		return i.clear()
	}
	steps := lists.Map(i.trail, func(s step) string { return s.signed })
	if held := i.held[peering.TrustName]; held != nil {
		steps = append(steps, held.signed)
	}
	i.followAgain(steps)
	trusted, _ := i.peers.trusted(peer.Name)
	for _, held := range i.held {
		_, err := i.verifier(true).verify(held.signed, trusted.RootsPEM)
		held.unverified = err != nil
	}
	return nil
}

// clear forgets everything.
func (i *importer) clear() []catalog.Change {
	var changes []catalog.Change
	for _, name := range slices.Sorted(maps.Keys(i.held)) {
		changes = append(changes, i.remove(name)...)
	}
	i.held, i.bytes, i.rejected, i.trail = map[string]*heldRecord{}, 0, map[string]error{}, nil
	return changes
}

// trust returns what the peer last said about its roots and version.
func (i *importer) trust() peering.Trust {
	if held := i.held[peering.TrustName]; held != nil && held.record.Trust != nil {
		return *held.record.Trust
	}
	return peering.Trust{}
}
