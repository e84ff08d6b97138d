package snapshot

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// layer is a set of resources. A scope has one or two: its own, and one that it shares with other scopes.
type layer struct {
	// contents has the resources by type and name, without endpoints and certificates of workloads.
	contents [resourcetype.NumTypes]map[string]*resource.Content
	// endpoints has the endpoints of the clusters, by cluster name.
	endpoints map[string]*endpointsNode
}

// content returns a resource, or nil.
func (l *layer) content(t resourcetype.Type, name string) *resource.Content {
	if t != resourcetype.Endpoints {
		return l.contents[t][name]
	}
	if e := l.endpoints[name]; e != nil {
		return e.current.Load()
	}
	return nil
}

// all returns all resources.
func (l *layer) all() []*resource.Content {
	var list []*resource.Content
	for t := range resourcetype.NumTypes {
		for _, c := range l.contents[t] {
			list = append(list, c)
		}
	}
	for _, e := range l.endpoints {
		if c := e.current.Load(); c != nil {
			list = append(list, c)
		}
	}
	return list
}

// edits are changes of a layer. A nil value removes the name.
type edits struct {
	contents  [resourcetype.NumTypes]map[string]*resource.Content
	endpoints map[string]*endpointsNode
}

// apply makes edits and returns what changed.
func (l *layer) apply(e edits) delta.Changes {
	var changes delta.Changes
	for t := range resourcetype.NumTypes {
		changes[t] = applyEdits(&l.contents[t], e.contents[t])
	}
	changes[resourcetype.Endpoints] = applyEdits(&l.endpoints, e.endpoints)
	return changes
}

// replacedEndpoints returns the endpoints that edits remove or replace.
func (l *layer) replacedEndpoints(e edits) []*endpointsNode {
	var replaced []*endpointsNode
	for name, after := range e.endpoints {
		if before := l.endpoints[name]; before != nil && before != after {
			replaced = append(replaced, before)
		}
	}
	return replaced
}

// removeOthers adds edits that remove everything without an edit.
func (e *edits) removeOthers(l *layer) {
	for t := range resourcetype.NumTypes {
		removeOthers(e.contents[t], l.contents[t])
	}
	removeOthers(e.endpoints, l.endpoints)
}

func removeOthers[V any](edits, current map[string]*V) {
	for name := range current {
		if edits[name] == nil {
			edits[name] = nil
		}
	}
}

// applyEdits edits a map and returns the sorted keys whose values changed. Equal contents are interned, so pointers are compared.
func applyEdits[V any](values *map[string]*V, edits map[string]*V) []string {
	var names []string
	for name, value := range edits {
		if (*values)[name] == value {
			continue
		}
		names = append(names, name)
		if value == nil {
			delete(*values, name)
			continue
		}
		if *values == nil {
			*values = map[string]*V{}
		}
		(*values)[name] = value
	}
	slices.Sort(names)
	return names
}
