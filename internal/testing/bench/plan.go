package main

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
)

// plan is what a run measures.
type plan struct {
	meshes []measured
	// syncs is how often the first sync is measured; the median counts, of two the smaller, since noise only adds.
	syncs int
	// changes is how many changes of each kind are made at most, and patience how long that may take. At least three are made.
	changes  map[mesh.Kind]int
	patience time.Duration
	variants []server.Variant
	// cacheLimit is the number of sidecars above which the stock cache is not measured where everybody sees everything: it
	// would take hours.
	cacheLimit int
}

// measured is one mesh.
type measured struct {
	mode     mesh.Mode
	sidecars int
	// of is how many sidecars the mesh has, if some are connected elsewhere; 0 means none are.
	of int
}

// mesh invents it.
func (m measured) mesh() *mesh.Mesh { return mesh.NewShare(m.mode, max(m.sidecars, m.of), m.sidecars) }

// allVariants in the order in which they are measured. The broadcast comes first: it makes the sidecars of this process meet
// all resources once, at its own expense.
var allVariants = []server.Variant{server.Broadcast, server.Ours, server.CacheByScope, server.CacheByProxy}

// shortPlan takes less than two minutes on a machine with nothing else to do.
func shortPlan() plan {
	return plan{
		meshes: []measured{{mode: mesh.Policy, sidecars: 100}, {mode: mesh.Policy, sidecars: 500}, {mode: mesh.Visible, sidecars: 100}},
		syncs:  1,
		changes: map[mesh.Kind]int{
			mesh.Nothing: 50, mesh.Endpoint: 100, mesh.Rules: 20, mesh.Grant: 20, mesh.Split: 20, mesh.Limits: 20, mesh.Retry: 20,
			mesh.NewService: 5,
		},
		patience: 2 * time.Second, variants: allVariants, cacheLimit: 200,
	}
}

// fullPlan is what docs/performance.md shows.
func fullPlan() plan {
	p := plan{
		syncs: 2,
		changes: map[mesh.Kind]int{
			mesh.Nothing: 100, mesh.Endpoint: 300, mesh.Rules: 100, mesh.Grant: 100, mesh.Split: 50, mesh.Limits: 50, mesh.Retry: 50,
			mesh.NewService: 10,
		},
		patience: 8 * time.Second, variants: allVariants, cacheLimit: 500,
	}
	for _, mode := range []mesh.Mode{mesh.Policy, mesh.Visible} {
		for _, sidecars := range []int{100, 500, 1000, 2000} {
			p.meshes = append(p.meshes, measured{mode: mode, sidecars: sidecars})
		}
	}
	return p
}

// measures says whether a variant is measured in a mesh.
func (p plan) measures(v server.Variant, m measured) bool {
	stock := v == server.CacheByScope || v == server.CacheByProxy
	return !stock || m.mode == mesh.Policy || m.sidecars <= p.cacheLimit
}
