package tour

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	component "github.com/openservicemesh/osm-operator/internal/operator/component/prometheus"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
)

const (
	// serversLimit is the time limit for the servers to become ready.
	serversLimit = 3 * time.Minute
	// images has the images of the servers that are built for the local cluster.
	images = `{"spec":{"observability":{
		"prometheus":{"mode":"Managed","managed":{"image":"osm-local.invalid/prometheus:local"}},
		"jaeger":{"mode":"Managed","managed":{"image":"osm-local.invalid/jaeger:local"}},
		"tracing":{"enable":true}}}}`
	// published uses the default images, for clusters that pull images from registries.
	published = `{"spec":{"observability":{"prometheus":{"mode":"Managed"},"jaeger":{"mode":"Managed"},"tracing":{"enable":true}}}}`
)

// EnableMetrics is the command that makes Prometheus scrape the sidecars of the bookstore.
const EnableMetrics = "go run ./cmd/osm metrics enable --namespace bookbuyer,bookthief,bookstore,bookwarehouse"

// Enable runs Prometheus and Jaeger for the sample mesh, and enables metrics and traces of the bookstore.
func Enable(ctx context.Context, cluster *lab.Cluster, out io.Writer) error {
	patch := published
	if !lab.IsCurrent() {
		patch = images
		if err := cluster.Repository.Tool(ctx, out, "./cluster", "load-servers", "jaeger", "prometheus"); err != nil {
			return err
		}
	}
	if err := cluster.Patch(ctx, sampleMesh(), patch); err != nil {
		return err
	}
	if err := cluster.Shell(ctx, EnableMetrics); err != nil {
		return err
	}
	return AwaitComponents(ctx, cluster, "prometheus", "jaeger")
}

// Disable removes what Enable has added to the mesh.
func Disable(ctx context.Context, cluster *lab.Cluster) error {
	return cluster.Patch(ctx, sampleMesh(), `{"spec":{"observability":null}}`)
}

func sampleMesh() *v1alpha1.Mesh {
	return &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: names.DefaultMesh}}
}

// AwaitComponents waits until components of the sample mesh are ready.
func AwaitComponents(ctx context.Context, cluster *lab.Cluster, desired ...string) error {
	return lab.Until(ctx, serversLimit, "components "+strings.Join(desired, ", ")+" are ready", func(ctx context.Context) (bool, string, error) {
		live := &v1alpha1.Mesh{}
		if err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.DefaultMesh}, live); err != nil {
			return false, "", err
		}
		ready, observed := 0, ""
		for _, c := range live.Status.Components {
			if slices.Contains(desired, c.Name) {
				observed += fmt.Sprintf("%s: %t %s; ", c.Name, c.Ready, c.Message)
				if c.Ready {
					ready++
				}
			}
		}
		return ready == len(desired), observed, nil
	})
}

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
