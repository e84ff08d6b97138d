package tour

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/operator/component/jaeger"
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
		"tracing":{"enabled":true}}}}`
	// published uses the default images, for clusters that pull images from registries.
	published = `{"spec":{"observability":{"prometheus":{"mode":"Managed"},"jaeger":{"mode":"Managed"},"tracing":{"enabled":true}}}}`
)

// EnableMetrics is the command that makes Prometheus scrape the sidecars of the bookstore.
const EnableMetrics = "bin/osm metrics enable --namespace bookbuyer,bookthief,bookstore,bookwarehouse"

// ScrapeBookstore builds the osm command and runs EnableMetrics.
func ScrapeBookstore(ctx context.Context, cluster *lab.Cluster, out io.Writer) error {
	if err := cluster.Repository.BuildOSM(ctx, out); err != nil {
		return err
	}
	return cluster.Shell(ctx, EnableMetrics)
}

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
	if err := ScrapeBookstore(ctx, cluster, out); err != nil {
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

// traceLimit is the time limit until Jaeger has a trace. Sidecars send spans every five seconds.
const traceLimit = time.Minute

// Trace is a trace in the API of Jaeger.
type Trace struct {
	ID    string `json:"traceID"`
	Spans []struct {
		Process string `json:"processID"`
	} `json:"spans"`
	Processes map[string]struct {
		Service string `json:"serviceName"`
	} `json:"processes"`
}

// Services returns the services with spans in a trace, sorted.
func (t Trace) Services() []string {
	var services []string
	for _, span := range t.Spans {
		services = append(services, t.Processes[span.Process].Service)
	}
	slices.Sort(services)
	return slices.Compact(services)
}

// passes reports whether a trace has spans of sidecars in every namespace.
func (t Trace) passes(namespaces ...string) bool {
	for _, namespace := range namespaces {
		if !slices.ContainsFunc(t.Services(), func(s string) bool { return strings.HasSuffix(s, "."+namespace) }) {
			return false
		}
	}
	return true
}

// FindTrace waits for a trace from bookbuyer through bookstore to bookwarehouse that began after a moment.
func FindTrace(ctx context.Context, cluster *lab.Cluster, since time.Time) (Trace, error) {
	return awaitTrace(ctx, cluster, since, "bookbuyer.bookbuyer", "a trace from bookbuyer to bookwarehouse", func(t Trace) bool {
		return t.passes("bookbuyer", "bookstore", "bookwarehouse")
	})
}

// FindChange waits for a trace of a change by the control plane that began after a moment.
func FindChange(ctx context.Context, cluster *lab.Cluster, since time.Time) (Trace, error) {
	return awaitTrace(ctx, cluster, since, names.Controller, "a trace of a change", func(t Trace) bool { return len(t.Spans) > 1 })
}

// awaitTrace waits for a trace of a service.
func awaitTrace(ctx context.Context, cluster *lab.Cluster, since time.Time, service, what string, desired func(Trace) bool) (Trace, error) {
	pod, err := cluster.Pod(ctx, names.DefaultNamespace, names.AppLabel, jaeger.Name)
	if err != nil {
		return Trace{}, err
	}
	address, err := cluster.Forward(ctx, pod.Namespace, pod.Name, jaeger.QueryPort)
	if err != nil {
		return Trace{}, err
	}
	var found Trace
	err = lab.Until(ctx, traceLimit, what, func(ctx context.Context) (bool, string, error) {
		traces, err := readTraces(ctx, address, service, since)
		if err != nil {
			return false, err.Error(), nil
		}
		i := slices.IndexFunc(traces, desired)
		if i < 0 {
			return false, fmt.Sprintf("%d traces of %s", len(traces), service), nil
		}
		found = traces[i]
		return true, "", nil
	})
	return found, err
}

// readTraces reads the traces with spans of a service.
func readTraces(ctx context.Context, address, service string, since time.Time) ([]Trace, error) {
	query := url.Values{
		"service": {service}, "limit": {"200"},
		"start": {strconv.FormatInt(since.UnixMicro(), 10)}, "end": {strconv.FormatInt(time.Now().UnixMicro(), 10)},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/api/traces?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the API of Jaeger answers %s", response.Status)
	}
	var answer struct {
		Data []Trace `json:"data"`
	}
	err = json.NewDecoder(response.Body).Decode(&answer)
	return answer.Data, err
}
