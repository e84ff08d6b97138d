package peering

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
)

// publication has the records for one audience.
type publication struct {
	authority string
	// peerDomain is the trust domain of the peer.
	peerDomain string
	records    map[string]*published
}

// published is a record, which is signed when it is first sent.
type published struct {
	record peering.Record
	digest string
	// version and signed are empty before.
	version peering.Version
	signed  string
	// until is when the certificate of the signature expires.
	until time.Time
}

// signedOverhead is an upper bound of what a signature and its certificates add to a record, which base64 makes a third longer.
const signedOverhead = 16 << 10

// limitBytes returns the offers whose records a peer accepts, and how many it would not.
func limitBytes(offers []peering.Offer) (kept []peering.Offer, omitted int) {
	total := 0
	for _, offer := range offers {
		encoded, err := json.Marshal(offer.Service)
		size := len(encoded)*4/3 + signedOverhead
		if err != nil || size > maxRecordBytes || total+size > maxTotalBytes {
			omitted++
			continue
		}
		total += size
		kept = append(kept, offer)
	}
	return kept, omitted
}

// errNotReady means that not all objects of the mesh have been read.
var errNotReady = errors.New("the control plane is starting")

// digests returns the digests of all records for a peer by name.
func (p *publisher) digests(to audience, peerDomain string) (map[string]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	publication, err := p.publicationFor(to, peerDomain)
	if err != nil {
		return nil, err
	}
	digests := make(map[string]string, len(publication.records))
	for name, record := range publication.records {
		digests[name] = record.digest
	}
	return digests, nil
}

// publicationFor returns the records for an audience. The caller holds mu.
func (p *publisher) publicationFor(to audience, peerDomain string) (*publication, error) {
	offers, ok := p.kept[to.peer]
	if !ok || !p.ready {
		return nil, errNotReady
	}
	if existing := p.records[to]; existing != nil && existing.peerDomain == peerDomain {
		return existing, nil
	}
	made := &publication{authority: p.config.Authority(), peerDomain: peerDomain, records: map[string]*published{}}
	base := peering.Record{Format: peering.Format, Issuer: to.domain, Audience: peerDomain, Epoch: p.config.Epoch, Signer: made.authority}
	trust := base
	trust.Kind, trust.Trust = peering.KindTrust, &peering.Trust{Bundle: p.bundle, Version: p.config.Version, Accepted: p.accepted.of(to.peer)}
	if err := made.add(trust); err != nil {
		return nil, err
	}
	for _, offer := range offers {
		record := base
		record.Kind, record.Namespace, record.Name, record.Service = peering.KindService, offer.Name.Namespace, offer.Name.Name, &offer.Service
		if err := made.add(record); err != nil {
			return nil, err
		}
	}
	p.records[to] = made
	return made, nil
}

func (p *publication) add(record peering.Record) error {
	version, err := record.Version()
	if err != nil {
		return err
	}
	p.records[record.ResourceName()] = &published{record: record, digest: version.Digest}
	return nil
}

// maxGenerationAhead limits the generations of a client's versions that new ones must exceed, so that a client cannot use up the numbers.
const maxGenerationAhead = 24 * time.Hour

// signed returns a signed record of a generation above one that the peer has; the text is empty if there is no such record. Streams of a peer share it.
func (p *publisher) signed(to audience, name string, after int64) (peering.Version, string, error) {
	own, err := p.config.Certificates(to.domain)
	if err != nil {
		return peering.Version{}, "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	publication := p.records[to]
	if publication == nil || publication.records[name] == nil {
		return peering.Version{}, "", nil
	}
	record, now := publication.records[name], p.config.Now()
	if after > now.Add(maxGenerationAhead).UnixMilli() {
		after = 0
	}
	if record.signed == "" || record.version.Generation <= after || !now.Before(record.until) {
		if err := record.sign(own, max(now.UnixMilli(), after+1), now); err != nil {
			return peering.Version{}, "", err
		}
	}
	return record.version, record.signed, nil
}

// sign signs the record anew.
func (p *published) sign(own *tls.Certificate, generation int64, now time.Time) error {
	record := p.record
	record.Generation, record.IssuedAt = max(generation, p.version.Generation+1), now.Unix()
	signed, err := sign(own, record)
	if err != nil {
		return err
	}
	p.version, p.signed = peering.Version{Generation: record.Generation, Digest: p.digest}, signed
	p.until = own.Leaf.NotAfter
	return nil
}
