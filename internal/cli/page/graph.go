package page

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/report"
)

// Backing lists the workloads behind Services: the name of a Service "<namespace>/<name>" has the service accounts of its pods.
type Backing map[string][]string

// graph collects nodes and edges.
type graph struct {
	nodes map[string]*Node
	edges []Edge
}

// Graph returns the graph of the traffic in load reports, sorted. Workloads without traffic are nodes too.
func Graph(loads []report.Load, backing Backing, sidecars []Sidecar) ([]Node, []Edge) {
	g := graph{nodes: map[string]*Node{}, edges: []Edge{}}
	for _, s := range sidecars {
		g.node(Workload, s.Namespace+"/"+s.ServiceAccount).Sidecars++
	}
	for _, load := range loads {
		g.traffic(load)
	}
	for service, accounts := range backing {
		id := Service + ":" + service
		if g.nodes[id] == nil {
			continue
		}
		for _, account := range accounts {
			g.edges = append(g.edges, Edge{From: id, To: g.node(Workload, account).ID, Backs: true, MTLS: true})
		}
	}
	nodes := make([]Node, 0, len(g.nodes))
	for _, id := range slices.Sorted(maps.Keys(g.nodes)) {
		nodes = append(nodes, *g.nodes[id])
	}
	slices.SortFunc(g.edges, func(a, b Edge) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Port, b.Port))
	})
	return nodes, g.edges
}

// node returns a node, and creates it if it does not exist.
func (g *graph) node(kind, name string) *Node {
	id := kind + ":" + name
	if g.nodes[id] == nil {
		g.nodes[id] = &Node{ID: id, Kind: kind, Name: name}
	}
	return g.nodes[id]
}

// traffic adds the edge of a load. A cluster without a namespace is a destination outside the mesh.
func (g *graph) traffic(load report.Load) {
	name, port, _ := strings.Cut(load.Cluster, "|")
	kind := Service
	if !strings.Contains(name, "/") {
		kind = Outside
	}
	edge := Edge{
		From: g.node(Workload, load.Client).ID, To: g.node(kind, name).ID, Port: port, MTLS: kind == Service, Rate: load.Rate,
	}
	if answered := load.Succeeded + load.Failed; answered > 0 {
		share := float64(load.Succeeded) / float64(answered)
		edge.Success = &share
	}
	g.edges = append(g.edges, edge)
}
