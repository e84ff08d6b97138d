package trafficmetrics

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	smi "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/metrics/v1alpha2"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
)

// Reader reads TrafficMetrics from Prometheus. All fields are required.
type Reader struct {
	Client *prometheus.Client
	// Server returns the server; its token may change.
	Server func() (prometheus.Target, error)
	Now    func() time.Time
}

// series are the values of one combination of labels, in the order of smi.AvailableMetrics.
type series struct {
	labels model.Metric
	values []float64
}

// received returns the traffic that the objects of a resource receive. Empty names select all.
func (r *Reader) received(ctx context.Context, of resource, namespace, name string) ([]*smi.TrafficMetrics, error) {
	at := r.Now()
	found, err := r.read(ctx, selecting(inbound, of.kind, of.received, namespace, name, of.received), at)
	if err != nil {
		return nil, err
	}
	items := make([]*smi.TrafficMetrics, 0, len(found))
	for _, s := range found {
		edge := &smi.Edge{Direction: smi.From, Side: smi.Server, Resource: &corev1.ObjectReference{}}
		items = append(items, newItem(of.received.reference(s.labels), edge, s, at))
	}
	return items, nil
}

// edges returns the traffic between one object and its peers: first what it sends, then what it receives. Clients count both, because a
// server has the identities of its clients and not their workloads.
func (r *Reader) edges(ctx context.Context, of resource, namespace, name string) ([]*smi.TrafficMetrics, error) {
	at := r.Now()
	items := []*smi.TrafficMetrics{}
	for _, d := range []struct {
		direction    smi.Direction
		object, peer party
	}{{smi.To, of.source, of.destinationPeer}, {smi.From, of.destination, of.sourcePeer}} {
		if d.object.name == "" {
			continue
		}
		found, err := r.read(ctx, selecting(outbound, of.kind, d.object, namespace, name, d.object, d.peer), at)
		if err != nil {
			return nil, err
		}
		for _, s := range found {
			edge := &smi.Edge{Direction: d.direction, Side: smi.Client, Resource: d.peer.reference(s.labels)}
			items = append(items, newItem(d.object.reference(s.labels), edge, s, at))
		}
	}
	return items, nil
}

// read runs the expressions of a query. The series are sorted.
func (r *Reader) read(ctx context.Context, q query, at time.Time) ([]*series, error) {
	server, err := r.Server()
	if err != nil {
		return nil, err
	}
	expressions := q.promQL()
	vectors := make([]model.Vector, len(expressions))
	group, ctx := errgroup.WithContext(ctx)
	for i, expression := range expressions {
		group.Go(func() (err error) {
			vectors[i], err = r.Client.Vector(ctx, server, expression, at)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("the Prometheus at %s: %w", server.Address, err)
	}
	return merge(vectors), nil
}

// merge joins the results of expressions by their labels.
func merge(vectors []model.Vector) []*series {
	known := map[model.Fingerprint]*series{}
	for i, vector := range vectors {
		for _, sample := range vector {
			key := sample.Metric.Fingerprint()
			if known[key] == nil {
				known[key] = &series{labels: sample.Metric, values: make([]float64, len(vectors))}
			}
			if v := float64(sample.Value); !math.IsNaN(v) && !math.IsInf(v, 0) {
				known[key].values[i] = v
			}
		}
	}
	return slices.SortedFunc(maps.Values(known), func(a, b *series) int { return cmp.Compare(a.labels.String(), b.labels.String()) })
}

// newItem returns the TrafficMetrics of one series.
func newItem(object *corev1.ObjectReference, edge *smi.Edge, s *series, at time.Time) *smi.TrafficMetrics {
	item := &smi.TrafficMetrics{
		TypeMeta:   metav1.TypeMeta{APIVersion: Version.String(), Kind: "TrafficMetrics"},
		ObjectMeta: metav1.ObjectMeta{Namespace: object.Namespace, Name: object.Name},
		Interval:   &smi.Interval{Timestamp: metav1.NewTime(at.UTC()), Window: metav1.Duration{Duration: Window}},
		Resource:   object, Edge: edge,
	}
	for i, available := range smi.AvailableMetrics {
		metric := *available
		if metric.Unit == "" {
			metric.Value = quantity.NewQuantity(int64(math.Round(s.values[i])), quantity.DecimalSI)
		} else {
			metric.Set(s.values[i])
		}
		item.Metrics = append(item.Metrics, &metric)
	}
	return item
}

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
	q.by = lists.Unique(q.by)
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
		labels := lists.Map(q.by, func(l model.LabelName) string { return string(l) })
		return fmt.Sprintf("sum by (%s) (%s)", strings.Join(append(labels, more...), ", "), series)
	}
	quantile := func(share float64) string {
		return fmt.Sprintf("histogram_quantile(%g, %s)", share, sum(over("rate", "_duration_ms_bucket"), "le"))
	}
	increase := func(matchers string) string { return over("increase", "_total", matchers) }
	return []string{
		quantile(0.99), quantile(0.9), quantile(0.5),
		sum(prometheus.Succeeded(increase)), sum(prometheus.Failed(increase)),
	}
}
