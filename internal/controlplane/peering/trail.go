package peering

import (
	"errors"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
)

// maxTrail is how many bundles in a row a peer may send before its MeshPeer declares one of them.
const maxTrail = 8

// trail has the signed records of trust that lead from the declared roots of a peer to those that it has now. Each is signed under the roots of the one before,
// so that a process that starts can follow them again.
type trail []step

// step is a record of trust with another bundle than the one before.
type step struct {
	signed string
	bundle string
	// at is when it was signed.
	at time.Time
}

// readTrust follows the bundle of a record of trust.
func (i *importer) readTrust(held *heldRecord, stored bool) error {
	trust := held.record.Trust
	if trust == nil {
		return rejectInvalid(peering.ErrInvalid)
	}
	if err := trust.Check(); err != nil {
		return rejectInvalid(err)
	}
	if stored {
		return nil // the trail was followed already
	}
	return i.followStep(step{held.signed, trust.Bundle, i.signedAt(held.record)})
}

// signedAt is when a record was signed, and now at the latest, whatever the peer's clock says.
func (i *importer) signedAt(record peering.Record) time.Time {
	at := time.Unix(record.IssuedAt, 0)
	if now := i.now(); at.After(now) {
		return now
	}
	return at
}

// followStep adds a bundle to the trail. The trail begins when a bundle first differs from the declared roots, and ends when it no longer does.
func (i *importer) followStep(s step) error {
	if !peering.Follow(i.peer.RootsPEM, []byte(s.bundle), false, s.at, i.now()).Differs {
		i.trail = nil
		i.peers.setSent(i.peer.Name, []byte(s.bundle), time.Time{})
		return nil
	}
	if n := len(i.trail); n == 0 || i.trail[n-1].bundle != s.bundle {
		if n == maxTrail {
			return reject(ReasonInvalid, errors.New("the roots have changed too often: declare the present ones"))
		}
		i.trail = append(i.trail, s)
	}
	i.peers.setSent(i.peer.Name, []byte(s.bundle), i.trail[0].at)
	return nil
}

// followAgain follows signed records of trust from the declared roots, as far as they can be verified.
func (i *importer) followAgain(signed []string) {
	i.trail = nil
	i.peers.setSent(i.peer.Name, nil, time.Time{})
	for _, text := range signed {
		trusted, ok := i.peers.trusted(i.peer.Name)
		if !ok {
			return
		}
		record, err := i.verifier(true).verify(text, trusted.RootsPEM)
		if err != nil || record.Kind != peering.KindTrust || record.Trust == nil {
			return
		}
		if record.Trust.Check() != nil {
			return
		}
		if i.followStep(step{text, record.Trust.Bundle, i.signedAt(record)}) != nil {
			return
		}
	}
}
