package page

import (
	"cmp"
	"context"
	"math"
	"strings"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
)

// Queries about the last minute. A Prometheus that does not rename metrics has them with the prefix of Envoy. The latency of an edge is that of all
// clients in its namespace: metrics name workloads, load reports name service accounts. Edges whose requests are in
// access logs have better ones.
const (
	latencyQuery = `histogram_quantile(0.99, sum by (source_namespace, destination_namespace, destination_service, le) (` +
		`rate({__name__=~"(envoy_)?osm_request_duration_ms_bucket"}[1m])))`
	verdictQuery = `sum by (namespace, pod, source_identity, verdict) (rate({__name__=~"(envoy_)?osm_inbound_request_total"}[1m]))`
)

// addMetrics adds latencies to edges, and the counters of verdicts to TrafficTargets.
func (s *State) addMetrics(ctx context.Context, client *prometheus.Client, server prometheus.Target,
	objects []*unstructured.Unstructured, backing Backing,
) error {
	latencies, err := client.Vector(ctx, server, latencyQuery, s.At)
	if err != nil {
		return err
	}
	verdicts, err := client.Vector(ctx, server, verdictQuery, s.At)
	if err != nil {
		return err
	}
	s.addLatencies(latencies)
	s.addVerdicts(verdicts, objects, backing)
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
		namespace, _, _ := strings.Cut(accountOfNode(e.From), "/")
		if v, ok := known[key{namespace, strings.TrimPrefix(e.To, Service+":")}]; ok && !e.Backs && e.P99 == nil {
			e.P99 = &v
		}
	}
}

// addVerdicts counts the requests from the sources of each TrafficTarget to its destination, and adds the denials of other clients. Objects are in
// the order of policies.
func (s *State) addVerdicts(verdicts model.Vector, objects []*unstructured.Unstructured, backing Backing) {
	accounts := accountsOf(s.Sidecars)
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
		denied += s.deniedAt(destination, backing, sources)
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
