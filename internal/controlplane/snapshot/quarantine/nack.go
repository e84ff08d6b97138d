package quarantine

import (
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

const (
	// maxNACKs is how many rejected resources of a scope are recorded. Further ones quarantine nothing.
	maxNACKs = 400
	// answerTimeout is for how long the proxies of a scope may answer, before those that have answered decide.
	answerTimeout = 5 * time.Second
)

// Answers counts the connected proxies of a scope by their answer to a resource.
type Answers struct {
	Rejected, Accepted, Pending int
}

// nack is a rejected resource of a scope.
type nack struct {
	RejectedResource
	// proxies are those that reject it, at least one, in order of their answers.
	proxies []catalog.Name
	at      time.Time
	// minority is true while most proxies accept the resource. It is then quarantined for those that reject it only.
	minority bool
}

func (n *nack) isAbout(r RejectedResource) bool {
	return n.Type == r.Type && n.Name == r.Name && n.Hash == r.Hash
}

// HandleNACK records a rejected resource of a scope. The NACKs of one scope are examined one after the other, because the first
// quarantined policy often resolves the others.
func (q *Quarantine) HandleNACK(key scope.Key, r RejectedResource, proxy catalog.Name) {
	s := q.scope(key)
	s.pending = slices.DeleteFunc(s.pending, func(n *nack) bool { return !q.config.Scopes.IsCurrent(key, n.RejectedResource) })
	i := slices.IndexFunc(s.pending, func(n *nack) bool { return n.isAbout(r) })
	switch {
	case i >= 0 && slices.Contains(s.pending[i].proxies, proxy):
	case i >= 0:
		s.pending[i].proxies = append(s.pending[i].proxies, proxy)
		s.pending[i].minority = false
	case len(s.pending) < maxNACKs:
		s.pending = append(s.pending, &nack{RejectedResource: r, proxies: []catalog.Name{proxy}, at: q.config.Now()})
	}
	q.examineNext(key)
}

// examineNext examines the first resource that most proxies of a scope reject.
func (q *Quarantine) examineNext(key scope.Key) {
	s := q.scopes[key]
	if s == nil || s.paused {
		return
	}
	undecided := false
	for _, n := range slices.Clone(s.pending) {
		decided, rejected := q.decide(key, n)
		switch {
		case n.minority:
		case !q.config.Scopes.IsCurrent(key, n.RejectedResource):
			s.remove(n)
		case !decided:
			undecided = true
		case !rejected:
			n.minority = true
		default:
			s.remove(n)
			q.pause(key, s, max(q.examineLater(key, s, n), examineInterval))
			return
		}
	}
	if undecided {
		q.wait(key, s)
	}
	q.removeIfEmpty(key)
}

// examineLater examines a resource, and records it again if it is too early.
func (q *Quarantine) examineLater(key scope.Key, s *scopeQuarantine, n *nack) (retryAfter time.Duration) {
	if retryAfter = q.examine(key, s, n); retryAfter > 0 {
		s.pending = append(s.pending, n)
	}
	return retryAfter
}

func (q *Quarantine) pause(key scope.Key, s *scopeQuarantine, pause time.Duration) {
	s.paused = true
	q.config.RunAfter(pause, func() {
		s.paused = false
		q.examineNext(key)
	})
}

// wait decides again later, while other proxies answer. An answer before ends the wait.
func (q *Quarantine) wait(key scope.Key, s *scopeQuarantine) {
	if s.waiting {
		return
	}
	s.waiting = true
	q.config.RunAfter(examineInterval, func() {
		s.waiting = false
		q.examineNext(key)
	})
}

// decide reports whether most proxies of the scope reject a resource. One compromised proxy must not take a policy from the
// others.
func (q *Quarantine) decide(key scope.Key, n *nack) (decided, rejected bool) {
	a := q.config.Scopes.Answers(key, n.proxies)
	if a.Rejected > a.Accepted+a.Pending {
		return true, true
	}
	if a.Pending > 0 && a.Accepted <= a.Rejected+a.Pending && q.config.Now().Sub(n.at) < answerTimeout {
		return false, false
	}
	return true, a.Rejected > a.Accepted
}
