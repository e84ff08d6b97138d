package snapshot

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// translated is a resource of a scope. Content is nil if it cannot be marshalled.
type translated struct {
	kind    resourcetype.Type
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

// buildScope makes all resources of a scope with destinations of its own.
func (s *Store) buildScope(built *scope.Scope) []envoy.Resource {
	return slices.Concat(envoy.Build(built), envoy.TrustSecrets(built, s.config.Certificates.Root()), envoy.GatewaySecrets(built))
}

// buildOwn makes the resources of a scope that its shared layer lacks or has in another form.
func (s *Store) buildOwn(built *scope.Scope) []envoy.Resource {
	return append(envoy.BuildOwn(built), envoy.TrustSecrets(built, s.config.Certificates.Root())...)
}

// translate returns the edits of a transition of a layer.
func (s *Store) translate(l *layer, user endpointsUser, step transition) edits {
	e := s.editsTo(l, user, step)
	if !step.partial {
		e.removeOthers(l)
		return e
	}
	if step.onlyAdds() {
		return e
	}
	for _, r := range s.marshal(step.build(step.before)) {
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

// marshal interns resources. It logs those that cannot be marshalled.
func (s *Store) marshal(resources []envoy.Resource) []translated {
	list := make([]translated, 0, len(resources))
	for _, r := range resources {
		kind, err := resourcetype.ParseType(r.TypeURL)
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

// editsTo returns edits that set everything in the new version. A resource that cannot be marshalled keeps its earlier version and does
// not affect the others.
func (s *Store) editsTo(l *layer, user endpointsUser, step transition) edits {
	e := edits{endpoints: make(map[string]*endpointsNode, len(step.after.Clusters))}
	for t := range e.contents {
		e.contents[t] = map[string]*resource.Content{}
	}
	for _, r := range s.marshal(step.build(step.after)) {
		if r.content == nil {
			r.content = l.contents[r.kind][r.name]
		}
		if r.content != nil {
			e.contents[r.kind][r.name] = r.content
		}
	}
	for _, c := range step.after.Clusters {
		node := s.endpointsFor(c)
		node.users[user] = struct{}{}
		e.endpoints[node.cluster] = node
	}
	return e
}
