package page

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
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

// Queries about the last minute. A Prometheus that does not rename metrics has them with the prefix of Envoy. The latency of an edge is that of all
// clients in its namespace: metrics name workloads, load reports name service accounts.
const (
	latencyQuery = `histogram_quantile(0.99, sum by (source_namespace, destination_namespace, destination_service, le) (` +
		`rate({__name__=~"(envoy_)?osm_request_duration_ms_bucket"}[1m])))`
	verdictQuery = `sum by (namespace, pod, source_identity, verdict) (rate({__name__=~"(envoy_)?osm_inbound_request_total"}[1m]))`
)

// addMetrics adds latencies to edges, and the counters of verdicts to TrafficTargets.
func (s *State) addMetrics(ctx context.Context, client *prometheus.Client, server prometheus.Target, objects []*unstructured.Unstructured, at time.Time) error {
	latencies, err := client.Vector(ctx, server, latencyQuery, at)
	if err != nil {
		return err
	}
	verdicts, err := client.Vector(ctx, server, verdictQuery, at)
	if err != nil {
		return err
	}
	s.addLatencies(latencies)
	s.addVerdicts(verdicts, objects)
	return nil
}

func (s *State) addLatencies(latencies model.Vector) {
	type key struct{ namespace, service string }
	known := map[key]float64{}
	for _, sample := range latencies {
		if v := float64(sample.Value); !math.IsNaN(v) {
			m := sample.Metric
			known[key{string(m["source_namespace"]), string(m["destination_namespace"] + "/" + m["destination_service"])}] = v
		}
	}
	for i := range s.Edges {
		e := &s.Edges[i]
		namespace, _, _ := strings.Cut(strings.TrimPrefix(e.From, Workload+":"), "/")
		if v, ok := known[key{namespace, strings.TrimPrefix(e.To, Service+":")}]; ok && !e.Backs {
			e.P99 = &v
		}
	}
}

// addVerdicts counts the requests from the sources of each TrafficTarget to its destination. Objects are in the order of policies.
func (s *State) addVerdicts(verdicts model.Vector, objects []*unstructured.Unstructured) {
	accounts := map[string]string{}
	for _, sidecar := range s.Sidecars {
		accounts[sidecar.Namespace+"/"+sidecar.Pod] = sidecar.Namespace + "/" + sidecar.ServiceAccount
	}
	for i, object := range objects {
		destination, sources := parties(object)
		if destination == "" {
			continue
		}
		var allowed, denied float64
		for _, sample := range verdicts {
			m := sample.Metric
			if accounts[string(m["namespace"]+"/"+m["pod"])] != destination || !sources[accountOf(string(m["source_identity"]))] {
				continue
			}
			if m["verdict"] == "denied" {
				denied += float64(sample.Value)
			} else {
				allowed += float64(sample.Value)
			}
		}
		s.Policies[i].Allowed, s.Policies[i].Denied = &allowed, &denied
	}
}

// accountOf returns "<namespace>/<name>" of an identity "<name>.<namespace>.<trust domain>". Names of accounts can have dots; the trust
// domain is not known here, so such accounts are not counted.
func accountOf(identity string) string {
	name, rest, _ := strings.Cut(identity, ".")
	namespace, _, _ := strings.Cut(rest, ".")
	return namespace + "/" + name
}

// parties returns the accounts that a TrafficTarget names. Other policies have none.
func parties(object *unstructured.Unstructured) (destination string, sources map[string]bool) {
	if object.GetKind() != "TrafficTarget" {
		return "", nil
	}
	name := func(party map[string]any) string {
		account, _ := party["name"].(string)
		namespace, _ := party["namespace"].(string)
		return cmp.Or(namespace, object.GetNamespace()) + "/" + account
	}
	target, _, _ := unstructured.NestedMap(object.Object, "spec", "destination")
	list, _, _ := unstructured.NestedSlice(object.Object, "spec", "sources")
	sources = map[string]bool{}
	for _, source := range list {
		if party, ok := source.(map[string]any); ok {
			sources[name(party)] = true
		}
	}
	return name(target), sources
}
