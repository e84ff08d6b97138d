package snapshot

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/envoy"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// translated is a resource of a scope; without content when it cannot be marshalled.
type translated struct {
	kind    Type
	name    string
	content *content
}

// translate gives the edits that lead from one scope to another. When partial, both hold only what differs between the two
// and what cannot be told apart; else before counts for nothing and everything is made anew. The destinations of the scopes
// are common to others if was and is name them.
func (s *Store) translate(n *scopeNode, step transition) edits {
	e := s.editsTo(n, step.after, step.is)
	if !step.partial {
		for t := range numTypes {
			markAbsent(e.contents[t], n.contents[t])
		}
		markAbsent(e.endpoints, n.endpoints)
		return e
	}
	if step.onlyAdds() {
		return e
	}
	for _, r := range s.resources(step.before, step.was) {
		if e.contents[r.kind][r.name] == nil {
			e.contents[r.kind][r.name] = nil
		}
	}
	for _, c := range step.before.Clusters {
		if name := c.Name(); e.endpoints[name] == nil {
			e.endpoints[name] = nil
		}
	}
	return e
}

// resources are all resources of a scope. Those that its destinations share with other scopes are made once. Of two with one
// name the later counts: the one that the scope has in a form of its own.
func (s *Store) resources(built *scope.Scope, shared *scope.Destinations) []translated {
	root := s.config.Certificates.Root()
	if shared == nil {
		return s.contents(append(envoy.Build(built), envoy.TrustSecrets(built, root)...))
	}
	key := commonKey{shared, built.Key.Class.IPv6}
	common, known := s.common.contents[key]
	if !known {
		common = s.contents(envoy.Shared(built, root))
		s.common.contents[key] = common
	}
	return slices.Concat(common, s.contents(envoy.Own(built, root)))
}

// contents marshals resources. One that cannot be marshalled is reported.
func (s *Store) contents(resources []envoy.Resource) []translated {
	list := make([]translated, 0, len(resources))
	for _, r := range resources {
		kind, err := ParseType(r.TypeURL)
		var c *content
		if err == nil {
			c, err = newContent(r)
		}
		if err != nil {
			s.config.Log.Error(err, "a resource is not updated", "name", r.Name)
		} else {
			c = s.interner.intern(c)
		}
		list = append(list, translated{kind, r.Name, c})
	}
	return list
}

// editsTo sets everything that a scope consists of. A resource that cannot be marshalled keeps its last good version: the
// others must not suffer from it.
func (s *Store) editsTo(n *scopeNode, built *scope.Scope, shared *scope.Destinations) edits {
	e := edits{endpoints: make(map[string]*endpointsNode, len(built.Clusters))}
	for t := range e.contents {
		e.contents[t] = map[string]*content{}
	}
	for _, r := range s.resources(built, shared) {
		if r.content == nil {
			r.content = n.contents[r.kind][r.name]
		}
		if r.content != nil {
			e.contents[r.kind][r.name] = r.content
		}
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
