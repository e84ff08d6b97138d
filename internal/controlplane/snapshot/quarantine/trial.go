package quarantine

import (
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// The newest policy is not always the cause of a NACK: after a restart the order is that of creation, whatever was edited last. Then policies of others are
// quarantined before the cause is. So once the proxies accept a resource again, its policies return one at a time. Only those that are
// rejected again stay quarantined.

// trialInterval is the pause between two looks at a trial, and idleInterval that without proxies.
const (
	trialInterval = time.Second
	idleInterval  = 10 * time.Second
)

// suspect is a quarantined policy that may not be the cause.
type suspect struct {
	policy entity.Ref
	// id is the resource whose rejection quarantined it.
	id resourceID
}

// trial is a policy that returned to see whether it is rejected again.
type trial struct {
	Rejection
	since time.Time
	// sequence is that of the newest change at its begin. A later change may be the cause of a NACK too.
	sequence uint64
}

// continueTrialsLater looks at the suspects of a scope after a pause. Several calls are like one.
func (q *Quarantine) continueTrialsLater(key scope.Key, s *scopeQuarantine, pause time.Duration) {
	if s.trying {
		return
	}
	s.trying = true
	q.config.RunAfter(pause, func() {
		s.trying = false
		if q.scopes[key] == s {
			q.continueTrials(key, s)
		}
	})
}

// continueTrials ends a trial that the proxies accept, and begins the next one.
func (q *Quarantine) continueTrials(key scope.Key, s *scopeQuarantine) {
	s.suspects = slices.DeleteFunc(s.suspects, func(x suspect) bool {
		_, quarantined := s.policies[x.policy]
		return !quarantined
	})
	if s.trial == nil && !s.hasInnocent() {
		return
	}
	accepted, pause := q.isAccepted(key, s)
	if !accepted {
		q.continueTrialsLater(key, s, pause)
		return
	}
	if s.trial != nil {
		q.config.Log.Info("Released a quarantined policy because sidecars accept it", "kind", s.trial.Policy.Kind,
			"policy", s.trial.Policy.Name.String(), "identity", key.Identity.String())
		s.trial = nil
		q.Publish()
	}
	if !s.hasInnocent() {
		q.removeIfEmpty(key)
		return
	}
	q.beginTrial(key, s)
	q.continueTrialsLater(key, s, trialInterval)
}

// hasInnocent reports whether a suspect may be innocent. The last one of a resource is not: the resource was accepted without it.
func (s *scopeQuarantine) hasInnocent() bool { return s.nextSuspect() >= 0 }

// nextSuspect returns the position of the next policy to try, or -1.
func (s *scopeQuarantine) nextSuspect() int {
	return slices.IndexFunc(s.suspects, func(x suspect) bool {
		last := s.suspects[0]
		for _, other := range s.suspects {
			if other.id == x.id {
				last = other
			}
		}
		return last.policy != x.policy
	})
}

// isAccepted reports whether the proxies of a scope accept what they have, or how long to wait.
func (q *Quarantine) isAccepted(key scope.Key, s *scopeQuarantine) (accepted bool, pause time.Duration) {
	if s.paused || slices.ContainsFunc(s.pending, func(n *nack) bool { return !n.minority }) {
		return false, trialInterval
	}
	a := q.config.Scopes.Answers(key, nil)
	since := time.Time{}
	if s.trial != nil {
		since = s.trial.since
	}
	switch {
	case a.Accepted == 0 && a.Pending == 0:
		return false, idleInterval
	case a.Pending > 0 && (a.Accepted < a.Pending || q.config.Now().Sub(since) < answerTimeout):
		return false, trialInterval
	}
	return true, 0
}

// beginTrial returns the next suspect to its scope. Its rejection stays published until the proxies have answered.
func (q *Quarantine) beginTrial(key scope.Key, s *scopeQuarantine) {
	i := s.nextSuspect()
	policy := s.suspects[i].policy
	s.suspects = slices.Delete(s.suspects, i, i+1)
	s.trial = &trial{Rejection: s.rejections[policy], since: q.config.Now(), sequence: q.sequence}
	q.Release(key, policy)
	q.config.Scopes.Rebuild(key)
}

// endTrial quarantines the tried policy again if the rejected resource differs without it. It returns false if the policy is not the cause.
func (q *Quarantine) endTrial(key scope.Key, s *scopeQuarantine, n *nack) bool {
	t := s.trial
	if t == nil || !q.differsWithout(key, s, t.Policy, n.RejectedResource) {
		return false
	}
	s.trial = nil
	q.Add(t.Rejection)
	if t.sequence != q.sequence {
		s.suspects = slices.Insert(s.suspects, 0, suspect{t.Policy, resourceID{n.Type, n.Name}})
	}
	q.config.Scopes.Rebuild(key)
	q.Publish()
	q.continueTrialsLater(key, s, trialInterval)
	return true
}
