package main

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
)

// plan defines what a run measures.
type plan struct {
	meshes []measured
	// syncs is the number of first syncs; the median counts, and the smaller one of two.
	syncs int
	// changes is the maximum number of changes of each kind, and timeout limits their duration. At least three are made.
	changes  map[mesh.Kind]int
	timeout  time.Duration
	variants []server.Variant
	// cacheLimit is the number of sidecars above which the stock cache is not measured in mode Visible, because it takes hours.
	cacheLimit int
}

// measured is one mesh of a plan.
type measured struct {
	mode     mesh.Mode
	sidecars int
	// of is the number of sidecars in the mesh, if some connect elsewhere; 0 means that none do.
	of int
}

// mesh generates the mesh.
func (m measured) mesh() *mesh.Mesh { return mesh.NewShare(m.mode, max(m.sidecars, m.of), m.sidecars) }

// allVariants are the variants in measurement order. The broadcast comes first, so that the sidecars of this process parse all
// resources during its measurement.
var allVariants = []server.Variant{server.Broadcast, server.Ours, server.CacheByScope, server.CacheByProxy}

// shortPlan takes less than two minutes on an idle machine.
func shortPlan() plan {
	return plan{
		meshes: []measured{{mode: mesh.Policy, sidecars: 100}, {mode: mesh.Policy, sidecars: 500}, {mode: mesh.Visible, sidecars: 100}, {mode: mesh.Outside, sidecars: 500}},
		syncs:  1,
		changes: map[mesh.Kind]int{
			mesh.Nothing: 50, mesh.Endpoint: 100, mesh.Rules: 20, mesh.Grant: 20, mesh.Split: 20, mesh.Limits: 20, mesh.Retry: 20,
			mesh.NewService: 5, mesh.Egress: 20, mesh.Ingress: 20, mesh.Authorizer: 20,
		},
		timeout: 2 * time.Second, variants: allVariants, cacheLimit: 200,
	}
}

// fullPlan measures the results of docs/performance.md.
func fullPlan() plan {
	p := plan{
		syncs: 2,
		changes: map[mesh.Kind]int{
			mesh.Nothing: 100, mesh.Endpoint: 300, mesh.Rules: 100, mesh.Grant: 100, mesh.Split: 50, mesh.Limits: 50, mesh.Retry: 50,
			mesh.NewService: 10, mesh.Egress: 50, mesh.Ingress: 50, mesh.Authorizer: 50,
		},
		timeout: 8 * time.Second, variants: allVariants, cacheLimit: 500,
	}
	for _, mode := range []mesh.Mode{mesh.Policy, mesh.Visible} {
		for _, sidecars := range []int{100, 500, 1000, 2000} {
			p.meshes = append(p.meshes, measured{mode: mode, sidecars: sidecars})
		}
	}
	p.meshes = append(p.meshes, measured{mode: mesh.Outside, sidecars: 500})
	return p
}

// measures reports whether a variant is measured in a mesh.
func (p plan) measures(v server.Variant, m measured) bool {
	stock := v == server.CacheByScope || v == server.CacheByProxy
	return !stock || m.mode != mesh.Visible || m.sidecars <= p.cacheLimit
}
