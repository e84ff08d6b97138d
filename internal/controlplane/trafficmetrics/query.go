package trafficmetrics

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Window is the time that counts and latencies are about. It has several scrapes of the managed Prometheus.
const Window = time.Minute

// Metrics of the sidecars of servers and of clients, without their suffixes.
const (
	inbound  = "osm_inbound_request"
	outbound = "osm_request"
)

// query selects the series of one metric, and what they are summed by.
type query struct {
	metric   string
	by       []model.LabelName
	matchers []string
}

// selecting returns a query for what one party of the traffic received or sent, with a series for each value of the labels of parties.
func selecting(metric string, kind string, object party, namespace, name string, parties ...party) query {
	q := query{metric: metric}
	match := func(label model.LabelName, operator, value string) {
		q.matchers = append(q.matchers, fmt.Sprintf("%s%s%q", label, operator, value))
	}
	if namespace != "" {
		match(object.namespace, "=", namespace)
	}
	if name != "" {
		match(object.name, "=", name)
	}
	if object.kind != "" {
		match(object.kind, "=", kind)
	}
	for _, p := range parties {
		match(p.name, "!=", "")
		q.by = append(q.by, p.labels()...)
	}
	slices.Sort(q.by)
	q.by = slices.Compact(q.by)
	return q
}

// promQL returns the expressions of a query, in the order of metricNames. A Prometheus that does not rename metrics has them with the
// prefix of Envoy.
func (q query) promQL() []string {
	over := func(function, suffix string, matchers ...string) string {
		all := append(append([]string{fmt.Sprintf("__name__=~%q", "(envoy_)?"+q.metric+suffix)}, q.matchers...), matchers...)
		return fmt.Sprintf("%s({%s}[%dms])", function, strings.Join(all, ","), Window.Milliseconds())
	}
	sum := func(series string, more ...string) string {
		var labels []string
		for _, l := range q.by {
			labels = append(labels, string(l))
		}
		return fmt.Sprintf("sum by (%s) (%s)", strings.Join(append(labels, more...), ", "), series)
	}
	quantile := func(share float64) string {
		return fmt.Sprintf("histogram_quantile(%g, %s)", share, sum(over("rate", "_duration_ms_bucket"), "le"))
	}
	return []string{
		quantile(0.99), quantile(0.9), quantile(0.5),
		sum(over("increase", "_total", `response_code!~"5..|0"`)), sum(over("increase", "_total", `response_code=~"5..|0"`)),
	}
}
