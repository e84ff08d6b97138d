package tour

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	component "github.com/openservicemesh/osm-operator/internal/operator/component/prometheus"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
)

// answerLimit is the time limit until a query has an answer: rates need two scrapes.
const answerLimit = 2 * time.Minute

// Query is a question about the bookstore in PromQL.
type Query struct{ Question, PromQL string }

// Queries are the queries of the tour.
func Queries() []Query {
	return []Query{
		{
			"Who sends how many requests per second to which Service?",
			`sum by (source_name, destination_service) (rate(osm_request_total{destination_service!=""}[1m])) > 0`,
		},
		{
			"Which share of them succeeds?",
			`sum by (destination_service) (rate(osm_request_total{response_code="200"}[1m])) / sum by (destination_service) (rate(osm_request_total{destination_service!=""}[1m])) > 0`,
		},
		{
			"How many milliseconds does the slowest one percent take?",
			`histogram_quantile(0.99, sum by (le, destination_service) (rate(osm_request_duration_ms_bucket{destination_service!=""}[1m]))) > 0`,
		},
	}
}

// Server queries the Prometheus of a namespace.
type Server struct {
	client *prometheus.Client
	target prometheus.Target
}

// OpenServer connects to the managed Prometheus of the sample mesh, until ctx ends.
func OpenServer(ctx context.Context, cluster *lab.Cluster) (*Server, error) {
	return ForwardServer(ctx, cluster, names.DefaultNamespace, names.AppLabel, component.Name, component.Port)
}

// ForwardServer connects to a Prometheus in a pod with a label, until ctx ends.
func ForwardServer(ctx context.Context, cluster *lab.Cluster, namespace, label, value string, port int) (*Server, error) {
	pod, err := cluster.Pod(ctx, namespace, label, value)
	if err != nil {
		return nil, err
	}
	address, err := cluster.Forward(ctx, namespace, pod.Name, port)
	if err != nil {
		return nil, err
	}
	return &Server{prometheus.New(nil), prometheus.Target{Address: "http://" + address}}, nil
}

// Query returns the series of a query now.
func (s *Server) Query(ctx context.Context, query string) (model.Vector, error) {
	return s.client.Vector(ctx, s.target, query, time.Now())
}

// Await waits until a query has at least a number of series, and returns them.
func (s *Server) Await(ctx context.Context, query string, series int) (model.Vector, error) {
	var answer model.Vector
	err := lab.Until(ctx, answerLimit, "an answer of Prometheus to "+query, func(ctx context.Context) (bool, string, error) {
		var err error
		answer, err = s.client.Vector(ctx, s.target, query, time.Now())
		if err != nil {
			return false, err.Error(), nil
		}
		return len(answer) >= series, fmt.Sprint(answer), nil
	})
	return answer, err
}
