package stat

import (
	"fmt"
	"strings"

	"github.com/prometheus/common/model"
)

// Metrics of the servers' sidecars.
const (
	requests          = "osm_inbound_request_total"
	routeRequests     = "osm_inbound_route_request_total"
	deniedConnections = "osm_inbound_connections_denied_total"
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
		{func(q Query) string {
			return q.sum(q.rate(requests, `verdict="denied"`) + " or " + q.rate(deniedConnections))
		}, func(r *Row, v float64) { r.Denied = v }},
		{func(q Query) string { return q.sum(q.rate(connections)) }, func(r *Row, v float64) { r.Connections = v }},
		{func(q Query) string { return q.sum(q.rate(requestBytes)) + " + " + q.sum(q.rate(responseBytes)) }, func(r *Row, v float64) { r.Bytes = v }},
	}...)
}

// success is computed by Prometheus, so that both numbers of the ratio are of one moment. Without failures there is no series of them.
func (q Query) success(requests string) string {
	all, failed := q.sum(q.rate(requests)), q.sum(q.rate(requests, `response_code=~"5..|0"`))
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
	var labels []string
	for _, l := range append(q.Group.labels(), more...) {
		labels = append(labels, string(l))
	}
	return fmt.Sprintf("sum by (%s) (%s)", strings.Join(labels, ", "), rate)
}
