package loadstats

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/identity"
)

// Reporter is a sidecar that can report.
type Reporter struct {
	book   *Book
	uid    string
	client identity.ServiceAccount
	ended  chan struct{}
	// reports counts what it has reported since it was asked; under the Book's lock.
	reports int
}

// Join is called when a sidecar opens its stream of load reports; Leave when it ends. A newer stream of the same pod ends the
// older one.
func (b *Book) Join(uid string, client identity.ServiceAccount) *Reporter {
	r := &Reporter{book: b, uid: uid, client: client, ended: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.reporters[uid]; old != nil {
		close(old.ended)
	}
	b.reporters[uid] = r
	return r
}

// Leave forgets the sidecar; what it reported remains.
func (r *Reporter) Leave() {
	r.book.mu.Lock()
	defer r.book.mu.Unlock()
	if r.book.reporters[r.uid] == r {
		delete(r.book.reporters, r.uid)
	}
}

// Ended is closed when the pod has opened a newer stream.
func (r *Reporter) Ended() <-chan struct{} { return r.ended }

// Report enters what the sidecar has sent within the given time before now, and says how many loads there was no room for. Nothing
// is entered while nobody is asked.
func (r *Reporter) Report(loads []Load, within time.Duration) (dropped int) {
	now := r.book.now()
	within = min(max(within, 0), Window)
	r.book.mu.Lock()
	defer r.book.mu.Unlock()
	if !now.Before(r.book.until) {
		return 0
	}
	r.reports++
	if len(r.book.pairs) >= maxPairs {
		r.book.tidy(now)
	}
	for _, load := range loads {
		if !r.book.enter(r.client, load, now.Add(-within), now) {
			dropped++
		}
	}
	return dropped
}
