package snapshot

import (
	"maps"
	"time"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// Rejections are the policies that are withheld from some sidecars, sorted by policy.
func (s *Store) Rejections() []Rejection {
	if list := s.rejections.Load(); list != nil {
		return *list
	}
	return nil
}

// OnRejections has f called on the Store's goroutine whenever Rejections has changed. Call it before Run; f must not block.
func (s *Store) OnRejections(f func()) { s.onRejections = f }

// refused takes the refusal of a resource. Refusals of one scope are looked at one after the other: what is done about the
// first often settles the rest.
func (s *Store) refused(stream *Stream, r Refusal) {
	key := stream.scope.key
	if s.scopes[key] != stream.scope {
		return
	}
	w := s.quarantine.ward(key)
	for _, other := range w.waiting {
		if other.Type == r.Type && other.Name == r.Name && other.hash == r.hash {
			return
		}
	}
	w.waiting = append(w.waiting, refused{r, stream.peer.Pod})
	s.examineNext(key)
}

// examineNext looks at the next refusal of a scope that still means something.
func (s *Store) examineNext(key scope.Key) {
	w, n := s.quarantine.wards[key], s.scopes[key]
	if w == nil || w.resting {
		return
	}
	for n != nil && len(w.waiting) > 0 {
		r := w.waiting[0]
		w.waiting = w.waiting[1:]
		if c := n.contents[r.Type][r.Name]; c == nil || c.hash != r.hash {
			continue // it has changed since
		}
		again := examineEvery
		if wait := s.examine(n, w, r); wait > 0 {
			w.waiting = append(w.waiting, r)
			again = wait
		}
		w.resting = true
		time.AfterFunc(again, func() {
			s.post(func() {
				w.resting = false
				s.examineNext(key)
			})
		})
		return
	}
	w.waiting = nil
	s.quarantine.tidy(key)
}

// examine withholds the newest policy without which a rejected resource is another one. When it comes to an end without one,
// policies are not the reason, and those that were withheld for it are given back. It may be too early to tell: then it says for how long.
func (s *Store) examine(n *scopeNode, w *ward, r refused) (wait time.Duration) {
	candidates := s.quarantine.newestFirst(s.catalog.Policies(s.readBy(n)))
	if len(candidates) == 0 {
		return 0
	}
	id := resourceKey{r.Type, r.Name}
	if given, hopeless := w.hopeless[id]; hopeless && candidates[0].compare(given) <= 0 {
		return 0
	}
	trials := 0
	for _, candidate := range candidates {
		if _, already := w.withheld[candidate.ref]; already {
			continue
		}
		if wait := s.settled.Sub(s.config.Now()); candidate.turn == 0 && wait > 0 {
			return wait
		}
		if trials++; trials > maxTrials {
			break
		}
		if s.differsWithout(n, w, candidate.ref, r) {
			s.withhold(n, candidate.ref, r)
			return 0
		}
	}
	w.hopeless[id] = candidates[0]
	s.giveBack(n, w, id)
	return 0
}

// differsWithout says whether a resource would be another one without a policy. That it would not be there at all does not
// count, except for a TrafficSplit: a permission to call a Service is not what the way to the Service is made of.
func (s *Store) differsWithout(n *scopeNode, w *ward, policy catalog.Ref, r refused) bool {
	withheld := maps.Clone(w.withheld)
	if withheld == nil {
		withheld = map[catalog.Ref]struct{}{}
	}
	withheld[policy] = struct{}{}
	trial := scope.Build(s.catalog.ViewWithout(withheld), s.config.TrustDomain, n.key)
	scope.KeepDrainMarks(n.built, trial)
	for _, res := range s.resources(trial, nil) {
		if res.kind == r.Type && res.name == r.Name {
			return res.content != nil && res.content.hash != r.hash
		}
	}
	return policy.Kind == catalog.KindTrafficSplit
}

func (s *Store) withhold(n *scopeNode, policy catalog.Ref, r refused) {
	s.quarantine.withhold(Rejection{
		Policy: policy, Scope: n.key, Proxy: r.proxy, Type: r.Type, Resource: r.Name, Text: r.Text, At: s.config.Now(),
	})
	s.metrics.quarantined.WithLabelValues(string(policy.Kind)).Inc()
	s.config.Log.Info("a policy is withheld because a sidecar rejected what came of it", "kind", policy.Kind, "policy", policy.Name.String(),
		"pod", r.proxy.String(), "type", r.Type.String(), "resource", r.Name, "reason", r.Text)
	s.rebuildScope(n)
	s.publishRejections()
}

// giveBack releases what was withheld because of one resource.
func (s *Store) giveBack(n *scopeNode, w *ward, id resourceKey) {
	changed := false
	for policy, rejection := range w.rejections {
		if rejection.Type == id.kind && rejection.Resource == id.name {
			s.quarantine.release(n.key, policy)
			changed = true
		}
	}
	if changed {
		s.config.Log.Info("a sidecar rejects its configuration with and without the policies that it is made of; they are in force again",
			"identity", n.key.Identity.String(), "type", id.kind.String(), "resource", id.name)
		s.rebuildScope(n)
		s.publishRejections()
	}
}

// publishRejections lets others see what is withheld.
func (s *Store) publishRejections() {
	list := s.quarantine.list()
	s.rejections.Store(&list)
	s.metrics.withheld.Set(float64(len(list)))
	if s.onRejections != nil {
		s.onRejections()
	}
}
