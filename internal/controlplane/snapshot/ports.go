package snapshot

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// builders make the resources of a layer.
type builders struct {
	// all makes all of them; separable leaves those of port numbers out, which ports makes; destinations makes those of separable that destinations add.
	all, separable, destinations func(*scope.Scope) []envoy.Resource
	ports                        func(*scope.Scope, map[uint16]bool) []envoy.Resource
}

// portsTransition is the change of the resources that depend on all destinations with a port number. Numbers are those of destinations that may differ; nil if
// there are no such resources. Both versions have all destinations.
type portsTransition struct {
	before, after *scope.Scope
	numbers       map[uint16]bool
	build         func(*scope.Scope, map[uint16]bool) []envoy.Resource
}

// portNumbers are those of the destinations of two versions.
func portNumbers(before, after *scope.Destinations) map[uint16]bool {
	numbers := map[uint16]bool{}
	for _, d := range []*scope.Destinations{before, after} {
		for i := range d.Outbound {
			numbers[d.Outbound[i].Port] = true
		}
	}
	return numbers
}
