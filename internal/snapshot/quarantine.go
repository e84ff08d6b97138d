package snapshot

import (
	"cmp"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// A resource that a sidecar rejects stays as it was in that sidecar, and every later change of it is lost too. So the newest
// policy that the resource is made of is withheld from the scope, which can only take permissions away, and the resource is
// built without it. Only scopes whose own sidecars reject are concerned: a workload cannot take policies from others by
// rejecting what it is sent.

// Limits of the quarantine.
const (
	// maxTrials is how many policies are tried for one rejected resource.
	maxTrials = 16
	// maxIdleWithheld is how many withheld policies are remembered of scopes without sidecars.
	maxIdleWithheld = 1024
	// examineEvery is how long a scope that has several rejected resources waits between two of them, so that sidecars that
	// reject everything leave time for others.
	examineEvery = 200 * time.Millisecond
)

// Rejection is a policy that is withheld from the sidecars of one scope because one of them rejected what came of it.
type Rejection struct {
	Policy catalog.Ref
	// Scope is which sidecars the policy is withheld from, and Proxy the pod of the one that rejected.
	Scope scope.Key
	Proxy catalog.Name
	// Type and Resource name what it rejected, and Text is its own reason.
	Type     Type
	Resource string
	Text     string
	At       time.Time
}

// sighting orders policies by age.
type sighting struct {
	ref catalog.Ref
	// turn counts the changes seen since everything that existed at the start was taken in; 0 for what existed then.
	turn    uint64
	created time.Time
	// changed is when the current version had reached the scopes, and settled when their sidecars had answered it.
	changed, settled time.Time
	// generation is that of the newest version that has arrived, also if it says nothing else than the one before; 0 when not
	// known.
	generation int64
}

func (s sighting) compare(other sighting) int {
	return cmp.Or(cmp.Compare(s.turn, other.turn), s.created.Compare(other.created), s.ref.Compare(other.ref))
}

// quarantine remembers which policies are withheld. It belongs to the Store's goroutine.
type quarantine struct {
	seen  map[catalog.Ref]sighting
	turn  uint64
	wards map[scope.Key]*ward
}

// ward is what the quarantine knows of one scope.
type ward struct {
	withheld   map[catalog.Ref]struct{}
	rejections map[catalog.Ref]Rejection
	// hopeless are resources that no withheld policy made acceptable, with the newest policy at that time: they are left alone
	// until there is a newer one.
	hopeless map[resourceKey]sighting
	// waiting are rejected resources to be looked at, one at a time; resting is true between two of them.
	waiting []refused
	resting bool
}

type resourceKey struct {
	kind Type
	name string
}

// refused is a Refusal with who it comes from.
type refused struct {
	Refusal
	proxy catalog.Name
}

func newQuarantine() *quarantine {
	return &quarantine{seen: map[catalog.Ref]sighting{}, wards: map[scope.Key]*ward{}}
}

// note takes changes that are about to be made, and returns the policies among them. A policy that changes is given another
// chance everywhere; released says whether one was withheld.
func (q *quarantine) note(changes []catalog.Change, c *catalog.Catalog, synced bool) (policies []catalog.Ref, released bool) {
	for _, change := range changes {
		if !change.Ref.Kind.IsPolicy() {
			continue
		}
		if !c.Differs(change) {
			q.renumber(change)
			continue
		}
		for key, w := range q.wards {
			if _, withheld := w.withheld[change.Ref]; withheld {
				q.release(key, change.Ref)
				released = true
			}
		}
		if change.Entry == nil {
			delete(q.seen, change.Ref)
			continue
		}
		s := sighting{ref: change.Ref, created: change.Created, generation: change.Generation}
		if synced {
			q.turn++
			s.turn = q.turn
		}
		q.seen[change.Ref] = s
		policies = append(policies, change.Ref)
	}
	return policies, released
}

// renumber notes a version of a policy that says the same as the one before.
func (q *quarantine) renumber(change catalog.Change) {
	if s, ok := q.seen[change.Ref]; ok && change.Entry != nil && change.Generation != 0 {
		s.generation = change.Generation
		q.seen[change.Ref] = s
	}
}

// withheld are the policies that a scope is built without. The map is not changed later.
func (q *quarantine) withheld(key scope.Key) map[catalog.Ref]struct{} {
	if w := q.wards[key]; w != nil {
		return w.withheld
	}
	return nil
}

func (q *quarantine) ward(key scope.Key) *ward {
	w := q.wards[key]
	if w == nil {
		w = &ward{rejections: map[catalog.Ref]Rejection{}, hopeless: map[resourceKey]sighting{}}
		q.wards[key] = w
	}
	return w
}

// withhold takes a policy from a scope.
func (q *quarantine) withhold(r Rejection) {
	w := q.ward(r.Scope)
	w.rejections[r.Policy] = r
	w.index()
}

// release gives a policy back to a scope.
func (q *quarantine) release(key scope.Key, policy catalog.Ref) {
	w := q.ward(key)
	delete(w.rejections, policy)
	w.index()
	q.tidy(key)
}

// index makes a new set of the withheld policies: views of the old one may be in use.
func (w *ward) index() {
	w.withheld = make(map[catalog.Ref]struct{}, len(w.rejections))
	for ref := range w.rejections {
		w.withheld[ref] = struct{}{}
	}
}

// tidy forgets a ward with nothing in it.
func (q *quarantine) tidy(key scope.Key) {
	if w := q.wards[key]; w != nil && len(w.rejections)+len(w.hopeless)+len(w.waiting) == 0 && !w.resting {
		delete(q.wards, key)
	}
}

// left forgets about a scope without sidecars what would only matter to them. The withheld policies stay: the next sidecar
// would reject them again.
func (q *quarantine) left(key scope.Key) {
	w := q.wards[key]
	if w == nil {
		return
	}
	w.waiting = nil
	clear(w.hopeless)
	if q.total() > maxIdleWithheld {
		clear(w.rejections)
		w.index()
	}
	q.tidy(key)
}

func (q *quarantine) total() int {
	sum := 0
	for _, w := range q.wards {
		sum += len(w.rejections)
	}
	return sum
}

// list is everything that is withheld, sorted.
func (q *quarantine) list() []Rejection {
	var all []Rejection
	for _, w := range q.wards {
		for _, r := range w.rejections {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b Rejection) int {
		return cmp.Or(a.Policy.Compare(b.Policy), a.Scope.Identity.Compare(b.Scope.Identity),
			cmp.Compare(a.Scope.Services, b.Scope.Services), a.Proxy.Compare(b.Proxy), a.At.Compare(b.At))
	})
	return all
}

// newestFirst orders policies by age.
func (q *quarantine) newestFirst(policies []catalog.Ref) []sighting {
	list := make([]sighting, 0, len(policies))
	for _, ref := range policies {
		if s, ok := q.seen[ref]; ok {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b sighting) int { return b.compare(a) })
	return list
}
