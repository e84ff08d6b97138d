package authz

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// ownWeight is what OSM gives a Service that is not split. Only ratios count.
const ownWeight = 100

// Division is how some of the requests to a port of a Service are divided.
type Division struct {
	// Split is the TrafficSplit that says so; nil where the Service takes its requests itself.
	Split *catalog.TrafficSplit
	// Matches select the requests; any one is enough. The last division of a port has none and takes what is left.
	Matches []SplitMatch
	// Leaves take the requests, by weight. Empty, or without any weight: the requests go nowhere.
	Leaves []Leaf
}

// SplitMatch is a match of an HTTPRouteGroup that a TrafficSplit refers to.
type SplitMatch struct {
	Group catalog.Name
	catalog.HTTPMatch
}

// Leaf is a port of a Service that takes a share of requests.
type Leaf struct {
	Service *catalog.Service
	Port    catalog.Port
	// Target is the container's port.
	Target uint16
	Weight uint32
}

// String names the match as "<name> of HTTPRouteGroup <namespace>/<name>".
func (m SplitMatch) String() string {
	if m.Name == "" {
		return "HTTPRouteGroup " + m.Group.String()
	}
	return m.Name + " of HTTPRouteGroup " + m.Group.String()
}

// Divisions say how requests to a port of a Service are divided: the first division that matches a request divides it, and the
// last one matches every request. TrafficSplits with matches come first, the oldest of them ahead; they say nothing about
// connections that are not HTTP. A backend that is the root of another split is sent its share itself: splits are not
// followed further, so that they have no cycles.
func Divisions(v *catalog.View, service *catalog.Service, port catalog.Port) []Division {
	var list []Division
	if port.Protocol.IsHTTP() {
		for _, split := range v.MatchingSplits(service.Name) {
			if matches := matchesOf(v, split); len(matches) > 0 {
				list = append(list, Division{Split: split, Matches: matches, Leaves: leavesOf(v, split, port)})
			}
		}
	}
	rest := Division{Split: v.Split(service.Name)}
	if rest.Split != nil {
		rest.Leaves = leavesOf(v, rest.Split, port)
	} else if target := v.TargetPort(service, port); target != 0 {
		rest.Leaves = []Leaf{{Service: service, Port: port, Target: target, Weight: ownWeight}}
	}
	return append(list, rest)
}

// matchesOf are the matches of the groups of a split that exist, in order of the groups' names.
func matchesOf(v *catalog.View, split *catalog.TrafficSplit) []SplitMatch {
	var list []SplitMatch
	for _, name := range split.Matches {
		group := v.HTTPRouteGroup(catalog.Name{Namespace: split.Name.Namespace, Name: name})
		if group == nil {
			continue
		}
		for _, match := range group.Matches {
			list = append(list, SplitMatch{group.Name, match})
		}
	}
	return list
}

// leavesOf are the backends of a split that take part. One that does not exist, or has no port of the root's number, does not
// (SMI), and neither does one whose container port nobody knows yet.
func leavesOf(v *catalog.View, split *catalog.TrafficSplit, root catalog.Port) []Leaf {
	var leaves []Leaf
	for _, backend := range split.Backends {
		service := v.Service(backend.Service)
		port, ok := portOf(service, root.Number)
		if !ok {
			continue
		}
		if target := v.TargetPort(service, port); target != 0 {
			leaves = append(leaves, Leaf{Service: service, Port: port, Target: target, Weight: backend.Weight})
		}
	}
	return leaves
}

// Direct says whether the client's own choice of a pod counts: for a headless Service that takes requests itself, or whose split
// has no other backend. Balancing would hand the request to another member of a StatefulSet than the one that was asked for.
func (d Division) Direct(root *catalog.Service) bool {
	return root.Headless() && len(d.Leaves) == 1 && d.Leaves[0].Service == root && d.Leaves[0].Weight > 0
}

// Taking is the one of the divisions of a port that takes a request.
func Taking(divisions []Division, r Request) Division {
	m := messageSent(r)
	for _, d := range divisions {
		if _, taken := d.takes(m); taken {
			return d
		}
	}
	return Division{} // the last division takes everything
}

// takes finds the match by which a request falls into the division; the last division takes every request, by no match.
func (d Division) takes(m message) (by *SplitMatch, taken bool) {
	if len(d.Matches) == 0 {
		return nil, true
	}
	i := slices.IndexFunc(d.Matches, func(match SplitMatch) bool { return m.matches(match.HTTPMatch) })
	if i < 0 {
		return nil, false
	}
	return &d.Matches[i], true
}
