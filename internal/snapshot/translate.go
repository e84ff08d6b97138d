package snapshot

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/envoy"
	"github.com/openservicemesh/osm-operator/internal/scope"
	"github.com/openservicemesh/osm-operator/internal/snapshot/resource"
)

// translated is a resource of a scope. Content is nil if it cannot be marshalled.
type translated struct {
	kind    resource.Type
	name    string
	content *resource.Content
}

// newReadinessCluster returns the cluster for delta.Options.
func newReadinessCluster() *resource.Content {
	c, err := resource.New(envoy.UnreadyCluster())
	if err != nil { // its content is constant
		panic(err)
	}
	return c
}

// translate returns the edits of a transition.
func (s *Store) translate(n *scopeNode, step transition) edits {
	e := s.editsTo(n, step.after, step.sharedAfter)
	if !step.partial {
		for t := range resource.NumTypes {
			removeOthers(e.contents[t], n.contents[t])
		}
		removeOthers(e.endpoints, n.endpoints)
		return e
	}
	if step.onlyAdds() {
		return e
	}
	for _, r := range s.translateScope(step.before, step.sharedBefore) {
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

// translateScope returns the resources of a scope. With shared destinations, their resources come from the cache. If a name occurs
// twice, the later one is the scope's own and replaces the shared one.
func (s *Store) translateScope(built *scope.Scope, shared *scope.Destinations) []translated {
	root := s.config.Certificates.Root()
	if shared == nil {
		return s.marshal(append(envoy.Build(built), envoy.TrustSecrets(built, root)...))
	}
	key := translationKey{shared, built.Key.Class.IPv6}
	translation, cached := s.shared.translations[key]
	if !cached {
		translation = s.marshal(envoy.BuildShared(built, root))
		s.shared.translations[key] = translation
	}
	return slices.Concat(translation, s.marshal(envoy.BuildOwn(built, root)))
}

// marshal interns resources. It logs those that cannot be marshalled.
func (s *Store) marshal(resources []envoy.Resource) []translated {
	list := make([]translated, 0, len(resources))
	for _, r := range resources {
		kind, err := resource.ParseType(r.TypeURL)
		var c *resource.Content
		if err == nil {
			c, err = resource.New(r)
		}
		if err != nil {
			s.config.Log.Error(err, "A resource is not updated", "name", r.Name)
		} else {
			c = s.interner.Intern(c)
		}
		list = append(list, translated{kind, r.Name, c})
	}
	return list
}

// editsTo returns edits that set everything in a scope. A resource that cannot be marshalled keeps its previous version and does
// not affect the others.
func (s *Store) editsTo(n *scopeNode, built *scope.Scope, shared *scope.Destinations) edits {
	e := edits{endpoints: make(map[string]*endpointsNode, len(built.Clusters))}
	for t := range e.contents {
		e.contents[t] = map[string]*resource.Content{}
	}
	for _, r := range s.translateScope(built, shared) {
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

// removeOthers adds edits that remove the current names without an edit.
func removeOthers[V any](edits, current map[string]*V) {
	for name := range current {
		if edits[name] == nil {
			edits[name] = nil
		}
	}
}
