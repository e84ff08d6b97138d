package stat

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"

	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
)

// Row is the traffic to one workload or Service, or by one of its routes.
type Row struct {
	Namespace string `json:"namespace"`
	// Kind is the kind of the workload, such as Deployment, or Service.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Route is what the route of a policy matches, "-" for requests without a route. Only rows of routes have one.
	Route string `json:"route,omitempty"`
	// Requests are the HTTP requests per second, denied ones included.
	Requests float64 `json:"requestsPerSecond"`
	// Success is the share of requests without a status of 500 or more, from 0 to 1; nil without requests.
	Success *float64 `json:"success,omitempty"`
	// Denied are the requests per second that a policy denied, for workloads the connections that it denied before any request, and for Services the
	// connections that the sidecars of clients closed.
	Denied float64 `json:"deniedPerSecond"`
	// P50, P95 and P99 are latencies in milliseconds, measured in the sidecar of the server; nil without requests.
	P50 *float64 `json:"p50Milliseconds,omitempty"`
	P95 *float64 `json:"p95Milliseconds,omitempty"`
	P99 *float64 `json:"p99Milliseconds,omitempty"`
	// Connections are the TCP connections per second to ports without HTTP.
	Connections float64 `json:"connectionsPerSecond"`
	// Bytes are the bytes per second of closed TCP connections, in both directions.
	Bytes float64 `json:"bytesPerSecond"`
}

// Group is what a row is about.
type Group string

// The groups.
const (
	Workloads Group = "workloads"
	Services  Group = "services"
	Routes    Group = "routes"
)

// Groups returns all groups.
func Groups() []Group { return []Group{Workloads, Services, Routes} }

// labels are the labels of the namespace, the kind and the name of a row. Services have no label of the kind.
func (g Group) labels() []model.LabelName {
	switch g {
	case Services:
		return []model.LabelName{"destination_namespace", "destination_service"}
	case Routes:
		return []model.LabelName{"destination_namespace", "destination_service", "route"}
	}
	return []model.LabelName{"destination_namespace", "destination_kind", "destination_name"}
}

// Query selects rows.
type Query struct {
	Group Group
	// Namespace is the namespace of the destinations; empty for all.
	Namespace string
	// Window is the time over which rates are averaged. It must have at least two scrapes.
	Window time.Duration
	At     time.Time
}

// Read returns the rows of a query, sorted by namespace, kind and name.
func Read(ctx context.Context, client *prometheus.Client, server prometheus.Target, q Query) ([]Row, error) {
	measures := q.Group.measures()
	vectors := make([]model.Vector, len(measures))
	group, ctx := errgroup.WithContext(ctx)
	for i, m := range measures {
		group.Go(func() (err error) {
			vectors[i], err = client.Vector(ctx, server, m.promQL(q), q.At)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("the Prometheus at %s: %w", server.Address, err)
	}
	rows := map[Row]*Row{}
	for i, vector := range vectors {
		for _, sample := range vector {
			key := q.Group.key(sample.Metric)
			if rows[key] == nil {
				row := key
				rows[key] = &row
			}
			if value := float64(sample.Value); !math.IsNaN(value) {
				measures[i].set(rows[key], value)
			}
		}
	}
	list := make([]Row, 0, len(rows))
	for _, row := range rows {
		list = append(list, *row)
	}
	slices.SortFunc(list, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Route, b.Route))
	})
	return list, nil
}

// key returns a row without numbers.
func (g Group) key(metric model.Metric) Row {
	row := Row{Namespace: string(metric["destination_namespace"]), Kind: "Service", Name: string(metric["destination_service"]), Route: string(metric["route"])}
	if g == Workloads {
		row.Kind, row.Name = string(metric["destination_kind"]), string(metric["destination_name"])
	}
	return row
}

// Metrics of the servers' sidecars.
const (
	requests          = "osm_inbound_request_total"
	routeRequests     = "osm_inbound_route_request_total"
	deniedConnections = "osm_inbound_connections_denied_total"
	deniedAtClients   = "osm_denied_total"
	duration          = "osm_inbound_request_duration_ms_bucket"
	routeDuration     = "osm_inbound_route_request_duration_ms_bucket"
	connections       = "osm_inbound_tcp_connections_opened_total"
	requestBytes      = "osm_inbound_tcp_request_bytes_total"
	responseBytes     = "osm_inbound_tcp_response_bytes_total"
)

// measure is one number of a row.
type measure struct {
	promQL func(q Query) string
	set    func(row *Row, value float64)
}

// measures returns the numbers of a row. Routes have none of connections.
func (g Group) measures() []measure {
	requests, duration := requests, duration
	if g == Routes {
		requests, duration = routeRequests, routeDuration
	}
	quantile := func(share float64) func(Query) string {
		return func(q Query) string {
			return fmt.Sprintf("histogram_quantile(%g, %s)", share, q.sum(q.rate(duration), "le"))
		}
	}
	list := []measure{
		{func(q Query) string { return q.sum(q.rate(requests)) }, func(r *Row, v float64) { r.Requests = v }},
		{func(q Query) string { return q.success(requests) }, func(r *Row, v float64) { r.Success = &v }},
		{quantile(0.5), func(r *Row, v float64) { r.P50 = &v }},
		{quantile(0.95), func(r *Row, v float64) { r.P95 = &v }},
		{quantile(0.99), func(r *Row, v float64) { r.P99 = &v }},
	}
	if g == Routes {
		return append(list, measure{func(q Query) string { return q.sum(q.rate(requests, `verdict="denied"`)) }, func(r *Row, v float64) { r.Denied = v }})
	}
	return append(list, []measure{
		{func(q Query) string { return q.sum(q.denied()) }, func(r *Row, v float64) { r.Denied = v }},
		{func(q Query) string { return q.sum(q.rate(connections)) }, func(r *Row, v float64) { r.Connections = v }},
		{func(q Query) string { return q.sum(q.rate(requestBytes)) + " + " + q.sum(q.rate(responseBytes)) }, func(r *Row, v float64) { r.Bytes = v }},
	}...)
}

// denied are the rates of denials. Connections that the sidecars of clients closed have a Service, but no workload: the control plane counts them.
func (q Query) denied() string {
	all := q.rate(requests, `verdict="denied"`) + " or " + q.rate(deniedConnections)
	if q.Group == Services {
		all += " or " + q.rate(deniedAtClients, `side="client"`)
	}
	return all
}

// success is computed by Prometheus, so that both numbers of the ratio are of one moment. Without failures there is no series of them.
func (q Query) success(requests string) string {
	all, failed := q.sum(q.rate(requests)), q.sum(prometheus.Failed(func(matchers string) string { return q.rate(requests, matchers) }))
	return fmt.Sprintf("1 - ((%s or 0 * %s) / %s)", failed, all, all)
}

// rate returns the rate of the series of a metric. A Prometheus that does not rename metrics has them with the prefix of Envoy.
func (q Query) rate(metric string, matchers ...string) string {
	matchers = append([]string{fmt.Sprintf("__name__=~%q", "(envoy_)?"+metric)}, matchers...)
	if q.Namespace != "" {
		matchers = append(matchers, fmt.Sprintf("destination_namespace=%q", q.Namespace))
	}
	if q.Group != Workloads {
		matchers = append(matchers, `destination_service!=""`)
	}
	return fmt.Sprintf("rate({%s}[%dms])", strings.Join(matchers, ","), q.Window.Milliseconds())
}

// sum adds the series of each row.
func (q Query) sum(rate string, more ...model.LabelName) string {
	labels := lists.Map(append(q.Group.labels(), more...), func(l model.LabelName) string { return string(l) })
	return fmt.Sprintf("sum by (%s) (%s)", strings.Join(labels, ", "), rate)
}
