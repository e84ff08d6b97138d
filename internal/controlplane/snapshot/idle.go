package snapshot

import "time"

// idleTime is for how long a scope stays after its last stream has ended. A sidecar that reconnects, or does so without end, gets it again. A change that
// affects such a scope drops it, so nothing is built for nobody.
const idleTime = 30 * time.Second

// releaseStream removes a stream from its scope. The scope stays for a while.
func (s *Store) releaseStream(n *scopeNode, stream *Stream) {
	if delete(n.streams, stream); len(n.streams) > 0 {
		return
	}
	s.quarantine.CloseScope(n.key)
	if s.budgets.hasRefused(n.key.Identity.Namespace) {
		s.releaseScope(n)
		return
	}
	s.idle[n] = s.config.Now()
}

// dropIdleScopes drops scopes that have had no stream for a while.
func (s *Store) dropIdleScopes() {
	limit := s.config.Now().Add(-idleTime)
	for n, since := range s.idle {
		if !since.After(limit) {
			s.releaseScope(n)
		}
	}
}

// makeRoom drops the large idle scopes of a namespace, and reports whether there were any.
func (s *Store) makeRoom(namespace string) bool {
	dropped := false
	for n := range s.idle {
		if n.key.Identity.Namespace == namespace && s.budgets.large[n] > 0 {
			s.dropScope(n)
			dropped = true
		}
	}
	return dropped
}
