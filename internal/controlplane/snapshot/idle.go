package snapshot

import (
	"maps"
	"slices"
	"time"
)

// idleTime is for how long a scope stays after its last stream has ended. A sidecar that reconnects, or does so without end, gets it again. A change that
// affects such a scope drops it, so nothing is built for nobody.
const idleTime = 30 * time.Second

// spareIdle is how many idle scopes a namespace may have in addition to one for each of its pods. Whoever owns a pod chooses by its labels which scope it
// has, so one pod could otherwise leave any number of them behind.
const spareIdle = 8

// idleOfAccount and idleOfNamespace are how many idle scopes of an account and of a namespace stay whatever they need. The others count in the budget of the
// namespace, also if they are not large.
const (
	idleOfAccount   = 8
	idleOfNamespace = 64
)

// scopesIn are scopes of each namespace, each with a value.
type scopesIn[V any] map[string]map[*scopeNode]V

func (s scopesIn[V]) add(n *scopeNode, value V) {
	namespace := n.key.Identity.Namespace
	if s[namespace] == nil {
		s[namespace] = map[*scopeNode]V{}
	}
	s[namespace][n] = value
}

func (s scopesIn[V]) remove(n *scopeNode) {
	namespace := n.key.Identity.Namespace
	if delete(s[namespace], n); len(s[namespace]) == 0 {
		delete(s, namespace)
	}
}

func (s scopesIn[V]) has(n *scopeNode) bool {
	_, has := s[n.key.Identity.Namespace][n]
	return has
}

// oldest returns the scope that has been idle for the longest time, or nil.
func oldest(idle map[*scopeNode]time.Time) *scopeNode {
	var oldest *scopeNode
	for n, since := range idle {
		if oldest == nil || since.Before(idle[oldest]) {
			oldest = n
		}
	}
	return oldest
}

// releaseStream removes a stream from its scope. The scope stays for a while.
func (s *Store) releaseStream(n *scopeNode, stream *Stream) {
	if delete(n.streams, stream); len(n.streams) > 0 {
		return
	}
	s.quarantine.CloseScope(n.key)
	if len(s.budgets.refused[n.key.Identity.Namespace]) > 0 {
		s.releaseScope(n)
		return
	}
	s.idle.add(n, s.config.Now())
	namespace := n.key.Identity.Namespace
	s.budgets.idle[namespace] += n.bytes
	for len(s.idle[namespace]) > spareIdle+s.catalog.PodsIn(namespace) {
		s.releaseScope(oldest(s.idle[namespace]))
	}
	s.fitIdle(namespace)
}

// removeIdle removes a scope from those without a stream.
func (s *Store) removeIdle(n *scopeNode) {
	if !s.idle.has(n) {
		return
	}
	s.idle.remove(n)
	namespace := n.key.Identity.Namespace
	if s.budgets.idle[namespace] -= n.bytes; s.budgets.idle[namespace] == 0 {
		delete(s.budgets.idle, namespace)
	}
}

// fitIdle drops idle scopes of a namespace that its budget has no room for, the oldest first.
func (s *Store) fitIdle(namespace string) {
	room := s.budgets.maximum - s.budgets.bytes[namespace]
	if s.budgets.idle[namespace] <= room {
		return
	}
	kept, ofAccount := 0, map[string]int{}
	for _, n := range latestFirst(s.idle[namespace]) {
		account := n.key.Identity.Name
		if kept < idleOfNamespace && ofAccount[account] < idleOfAccount {
			kept++
			ofAccount[account]++
		} else if room -= s.budgets.small(n); room < 0 {
			s.releaseScope(n)
		}
	}
}

// latestFirst returns idle scopes, the one that has lost its last stream most recently first.
func latestFirst(idle map[*scopeNode]time.Time) []*scopeNode {
	return slices.SortedFunc(maps.Keys(idle), func(a, b *scopeNode) int { return idle[b].Compare(idle[a]) })
}

// dropIdleScopes drops scopes that have had no stream for a while.
func (s *Store) dropIdleScopes() {
	limit := s.config.Now().Add(-idleTime)
	for _, scopes := range s.idle {
		for n, since := range scopes {
			if !since.After(limit) {
				s.releaseScope(n)
			}
		}
	}
}

// makeRoom drops the large idle scopes of a namespace, and reports whether there were any.
func (s *Store) makeRoom(namespace string) bool {
	dropped := false
	for n := range s.idle[namespace] {
		if s.budgets.large[n] > 0 {
			s.dropScope(n)
			dropped = true
		}
	}
	return dropped
}
