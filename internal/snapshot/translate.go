package snapshot

import (
	"github.com/openservicemesh/osm-operator/internal/envoy"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// translate gives the edits that lead from one scope to another. When partial, both hold only what differs between the two
// and what cannot be told apart; else before counts for nothing and everything is made anew.
func (s *Store) translate(n *scopeNode, before, after *scope.Scope, partial bool) edits {
	e := s.editsTo(n, after)
	if !partial {
		for t := range numTypes {
			markAbsent(e.contents[t], n.contents[t])
		}
		markAbsent(e.endpoints, n.endpoints)
		return e
	}
	for _, r := range s.resources(before) {
		if t, err := ParseType(r.TypeURL); err == nil && e.contents[t][r.Name] == nil {
			e.contents[t][r.Name] = nil
		}
	}
	for _, c := range before.Clusters {
		if name := c.Name(); e.endpoints[name] == nil {
			e.endpoints[name] = nil
		}
	}
	return e
}

func (s *Store) resources(built *scope.Scope) []envoy.Resource {
	return append(envoy.Build(built), envoy.TrustSecrets(built, s.config.Certificates.Root())...)
}

// editsTo sets everything that a scope consists of. A resource that cannot be marshalled keeps its last good version, and is
// reported: the others must not suffer from it.
func (s *Store) editsTo(n *scopeNode, built *scope.Scope) edits {
	e := edits{endpoints: make(map[string]*endpointsNode, len(built.Clusters))}
	for t := range e.contents {
		e.contents[t] = map[string]*content{}
	}
	for _, r := range s.resources(built) {
		c, err := newContent(r)
		if err != nil {
			s.config.Log.Error(err, "a resource is not updated", "identity", n.key.Identity.String())
			if t, err := ParseType(r.TypeURL); err == nil && n.contents[t][r.Name] != nil {
				e.contents[t][r.Name] = n.contents[t][r.Name]
			}
			continue
		}
		e.contents[c.kind][c.name] = s.interner.intern(c)
	}
	for _, c := range built.Clusters {
		node := s.endpointsFor(c)
		node.scopes[n] = struct{}{}
		e.endpoints[node.cluster] = node
	}
	return e
}

// markAbsent makes edits remove what they do not set.
func markAbsent[V any](edits, held map[string]*V) {
	for name := range held {
		if edits[name] == nil {
			edits[name] = nil
		}
	}
}
