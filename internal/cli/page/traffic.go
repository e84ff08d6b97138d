package page

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Backing lists the workloads behind Services: the name of a Service "<namespace>/<name>" has the service accounts of its pods.
type Backing map[string][]string

// Traffic is what the graph shows.
type Traffic struct {
	Loads    []report.Load
	Denials  []report.Denial
	Backing  Backing
	Sidecars []Sidecar
	// Idle adds destinations without traffic: with policies these are the allowed ones, in permissive mode all Services of the mesh.
	Idle bool
	// At is the present. Older denials than a minute are not part of the graph.
	At time.Time
}

// between identifies an edge.
type between struct{ from, to, port string }

// graph collects nodes and edges.
type graph struct {
	nodes map[string]*Node
	edges map[between]*Edge
}

// Graph returns the graph of the traffic, sorted. Workloads without traffic are nodes too.
func Graph(t Traffic) ([]Node, []Edge) {
	g := graph{nodes: map[string]*Node{}, edges: map[between]*Edge{}}
	for _, s := range t.Sidecars {
		g.node(Workload, s.Namespace+"/"+s.ServiceAccount).Sidecars++
	}
	g.addLoads(t.Loads, t.Idle)
	for _, denial := range t.Denials {
		if isRecent(denial, t.At) {
			g.addDenial(denial, t.Backing)
		}
	}
	g.addBacking(t.Backing)
	nodes := make([]Node, 0, len(g.nodes))
	for _, id := range slices.Sorted(maps.Keys(g.nodes)) {
		nodes = append(nodes, *g.nodes[id])
	}
	edges := make([]Edge, 0, len(g.edges))
	for _, e := range g.edges {
		edges = append(edges, *e)
	}
	slices.SortFunc(edges, func(a, b Edge) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Port, b.Port))
	})
	return nodes, edges
}

// node returns a node, and creates it if it does not exist.
func (g *graph) node(kind, name string) *Node {
	id := kind + ":" + name
	if g.nodes[id] == nil {
		g.nodes[id] = &Node{ID: id, Kind: kind, Name: name}
	}
	return g.nodes[id]
}

// edge returns an edge, and creates it and its nodes if they do not exist.
func (g *graph) edge(key between) *Edge {
	if g.edges[key] == nil {
		for _, id := range []string{key.from, key.to} {
			kind, name, _ := strings.Cut(id, ":")
			g.node(kind, name)
		}
		g.edges[key] = &Edge{From: key.from, To: key.to, Port: key.port, MTLS: !strings.HasPrefix(key.to, Outside+":")}
	}
	return g.edges[key]
}

func (g *graph) addLoads(loads []report.Load, idle bool) {
	sums := map[between]report.LoadCounts{}
	for _, load := range loads {
		key, ok := edgeOf(load.Client, load.Cluster)
		if !ok || !idle && load.Issued == 0 {
			continue
		}
		g.edge(key).Rate += load.Rate
		sum := sums[key]
		sums[key] = report.LoadCounts{Succeeded: sum.Succeeded + load.Succeeded, Failed: sum.Failed + load.Failed}
	}
	for key, sum := range sums {
		if answered := sum.Succeeded + sum.Failed; answered > 0 {
			share := float64(sum.Succeeded) / float64(answered)
			g.edges[key].Success = &share
		}
	}
}

func (g *graph) addBacking(backing Backing) {
	for service, accounts := range backing {
		id := Service + ":" + service
		if g.nodes[id] == nil {
			continue
		}
		for _, account := range accounts {
			g.edge(between{from: id, to: Workload + ":" + account}).Backs = true
		}
	}
}

// edgeOf returns the edge of requests from a client to a cluster. Requests to the application behind the sidecar itself are no edge: its
// client reports them.
func edgeOf(client, cluster string) (between, bool) {
	from, to := Workload+":"+client, report.Load{Cluster: cluster}.Destination()
	if to.Service != "" {
		return between{from, Service + ":" + to.Service, to.Port}, !to.Local
	}
	return between{from: from, to: Outside + ":" + outsideName(to.Outside)}, to.Outside != ""
}

// gatewayCluster has a destination of the egress gateway: the kind, a hash of the policy, and the host.
var gatewayCluster = regexp.MustCompile(`^egress-(?:http|tls)[.][0-9a-f]+[.](.+)$`)

// outsideName returns the name for people of a destination outside the mesh: its host and port.
func outsideName(cluster string) string {
	name := cluster
	if match := gatewayCluster.FindStringSubmatch(cluster); match != nil {
		name = match[1]
	}
	switch i := strings.LastIndexAny(name, ":_"); {
	case cluster == "passthrough-outbound":
		return "any address"
	case i >= 0:
		return name[:i] + ":" + name[i+1:]
	case name != "":
		return "port " + name
	}
	return name
}
