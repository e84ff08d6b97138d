package quarantine

import (
	"maps"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

const (
	// maxTrials is how many policies are tried for one rejected resource. Each trial builds the whole scope.
	maxTrials = 16
	// examineInterval is the pause between two examinations in one scope. It limits the load of proxies that reject everything.
	examineInterval = 200 * time.Millisecond
)

// examine quarantines the newest policy without which the rejected resource differs. If there is none, policies are not the
// cause, and those that were quarantined for the resource are released. A positive retryAfter means that it is too early.
func (q *Quarantine) examine(key scope.Key, s *scopeQuarantine, n *nack) (retryAfter time.Duration) {
	candidates := q.newestFirst(q.config.Scopes.Policies(key))
	if len(candidates) == 0 {
		return 0
	}
	id := resourceID{n.Type, n.Name}
	if newest, unresolved := s.unresolved[id]; unresolved && candidates[0].compare(newest) <= 0 {
		return 0
	}
	trials := 0
	for _, candidate := range candidates {
		if _, quarantined := s.policies[candidate.ref]; quarantined {
			continue
		}
		if remaining := q.startupEnd.Sub(q.config.Now()); candidate.sequence == 0 && remaining > 0 {
			return remaining
		}
		if trials++; trials > maxTrials {
			break
		}
		if q.differsWithout(key, s, candidate.ref, n.RejectedResource) {
			q.quarantine(key, candidate.ref, n)
			return 0
		}
	}
	s.unresolved[id] = candidates[0]
	q.releaseFor(key, s, id)
	return 0
}

// differsWithout reports whether a resource differs without a policy. A resource that does not exist then is not rejected either,
// but that does not make the policy the cause, unless it is a TrafficSplit: a permission does not determine the content of the
// resources of a destination.
func (q *Quarantine) differsWithout(key scope.Key, s *scopeQuarantine, policy catalog.Ref, r RejectedResource) bool {
	excluded := maps.Clone(s.policies)
	if excluded == nil {
		excluded = map[catalog.Ref]struct{}{}
	}
	excluded[policy] = struct{}{}
	content, exists := q.config.Scopes.BuildWithout(key, excluded, r.Type, r.Name)
	if !exists {
		return policy.Kind == catalog.KindTrafficSplit
	}
	return content != nil && content.Hash() != r.Hash
}

func (q *Quarantine) quarantine(key scope.Key, policy catalog.Ref, n *nack) {
	proxy := n.proxies[0]
	q.Add(Rejection{
		Policy: policy, Scope: key, Proxy: proxy, Type: n.Type, Resource: n.Name, Message: n.Message, At: q.config.Now(),
	})
	q.metrics.rejections.WithLabelValues(string(policy.Kind)).Inc()
	q.config.Log.Info("Quarantined a policy because a sidecar rejected configuration built from it", "kind", policy.Kind,
		"policy", policy.Name.String(), "pod", proxy.String(), "type", n.Type.String(), "resource", n.Name, "message", n.Message)
	q.config.Scopes.Rebuild(key)
	q.Publish()
}

// releaseFor releases the policies that were quarantined because of one resource.
func (q *Quarantine) releaseFor(key scope.Key, s *scopeQuarantine, id resourceID) {
	changed := false
	for policy, rejection := range s.rejections {
		if rejection.Type == id.kind && rejection.Resource == id.name {
			q.Release(key, policy)
			changed = true
		}
	}
	if changed {
		q.config.Log.Info("Released quarantined policies because a sidecar rejects the resource without them too",
			"identity", key.Identity.String(), "type", id.kind.String(), "resource", id.name)
		q.config.Scopes.Rebuild(key)
		q.Publish()
	}
}
