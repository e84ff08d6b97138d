package page

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Backing lists the workloads behind Services: the name of a Service "<namespace>/<name>" has the service accounts of its pods.
type Backing map[string][]string

// graph collects nodes and edges.
type graph struct {
	nodes map[string]*Node
	edges []Edge
}

// Graph returns the graph of the traffic in load reports, sorted. Workloads without traffic are nodes too. Destinations without traffic are
// included if idle is true: with policies these are the allowed ones, in permissive mode all Services of the mesh.
func Graph(loads []report.Load, backing Backing, sidecars []Sidecar, idle bool) ([]Node, []Edge) {
	g := graph{nodes: map[string]*Node{}, edges: []Edge{}}
	for _, s := range sidecars {
		g.node(Workload, s.Namespace+"/"+s.ServiceAccount).Sidecars++
	}
	traffic := map[Edge]report.LoadCounts{}
	rates := map[Edge]float64{}
	for _, load := range loads {
		edge, ok := edgeOf(load)
		if !ok || !idle && load.Issued == 0 {
			continue
		}
		sum := traffic[edge]
		traffic[edge] = report.LoadCounts{Issued: sum.Issued + load.Issued, Succeeded: sum.Succeeded + load.Succeeded, Failed: sum.Failed + load.Failed}
		rates[edge] += load.Rate
	}
	for edge, counts := range traffic {
		g.traffic(edge, counts, rates[edge])
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

// edgeOf returns the edge of a load without its numbers. Requests to the application behind the sidecar itself are no edge: its client
// reports them.
func edgeOf(load report.Load) (Edge, bool) {
	from, to := Workload+":"+load.Client, load.Destination()
	if to.Service != "" {
		return Edge{From: from, To: Service + ":" + to.Service, Port: to.Port, MTLS: true}, !to.Local
	}
	return Edge{From: from, To: Outside + ":" + to.Outside}, to.Outside != ""
}

// traffic adds an edge with its numbers, and its nodes.
func (g *graph) traffic(edge Edge, counts report.LoadCounts, rate float64) {
	for _, id := range []string{edge.From, edge.To} {
		kind, name, _ := strings.Cut(id, ":")
		g.node(kind, name)
	}
	edge.Rate = rate
	if answered := counts.Succeeded + counts.Failed; answered > 0 {
		share := float64(counts.Succeeded) / float64(answered)
		edge.Success = &share
	}
	g.edges = append(g.edges, edge)
}
