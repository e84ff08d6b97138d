package peering

import (
	"maps"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// acceptedRoots are the roots of peers that this mesh trusts, as the records for each peer list them. A rotation of a peer waits for them. A replica lists a
// root some time after it began to trust it: by then the other replicas have received it too, and the sidecars. It has no lock.
type acceptedRoots struct {
	// delay is that time. Roots that a replica trusts at its start, or when a peer is declared, are reported at once: the others have them as well.
	delay time.Duration
	// since is when each root began to be trusted, by peer and fingerprint; zero for those that are reported at once.
	since    map[string]map[string]time.Time
	reported map[string][]string
}

func newAcceptedRoots(delay time.Duration) acceptedRoots {
	return acceptedRoots{delay: delay, since: map[string]map[string]time.Time{}, reported: map[string][]string{}}
}

// update sets the roots that are trusted for a peer, and returns whether the list for the peer has changed.
func (a *acceptedRoots) update(peer string, roots []byte, now time.Time) (changed bool) {
	trusted, _ := certificate.FullFingerprints(roots) // none if they cannot be read
	before, known := a.since[peer]
	since := make(map[string]time.Time, len(trusted))
	for _, fingerprint := range trusted {
		began, was := before[fingerprint]
		if known && !was {
			began = now
		}
		since[fingerprint] = began
	}
	reported := lists.Unique(lists.Filter(slices.Collect(maps.Keys(since)), func(fingerprint string) bool { return now.Sub(since[fingerprint]) >= a.delay }))
	changed = !slices.Equal(reported, a.reported[peer])
	a.since[peer], a.reported[peer] = since, reported
	return changed
}

// of returns the fingerprints of the roots of a peer that are reported to it, sorted.
func (a *acceptedRoots) of(peer string) []string { return a.reported[peer] }

// retain forgets all other peers.
func (a *acceptedRoots) retain(peers []Peer) {
	isGone := func(name string) bool {
		return !slices.ContainsFunc(peers, func(p Peer) bool { return p.Name == name })
	}
	maps.DeleteFunc(a.since, func(name string, _ map[string]time.Time) bool { return isGone(name) })
	maps.DeleteFunc(a.reported, func(name string, _ []string) bool { return isGone(name) })
}
