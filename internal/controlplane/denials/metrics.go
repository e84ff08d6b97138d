package denials

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// viewTimeout is how long a scrape waits for names of Services.
const viewTimeout = 2 * time.Second

// collector has the metrics of a Store. Series end with their denials, so the number of series is bounded.
type collector struct {
	store           *Store
	views           Views
	denied, dropped *prometheus.Desc
}

// NewCollector returns the metrics of a Store.
func NewCollector(store *Store, views Views) prometheus.Collector {
	return &collector{
		store: store, views: views,
		denied: prometheus.NewDesc("osm_denied_total", "Connections and requests that policies denied, as sidecars report them.",
			[]string{"source_namespace", "source_account", "destination_namespace", "destination_service", "destination_address", "side", "reason"}, nil),
		dropped: prometheus.NewDesc("osm_denied_dropped_total", "Denials that were not recorded because of a limit.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- c.denied
	descriptions <- c.dropped
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), viewTimeout)
	defer cancel()
	list, dropped, _ := c.store.Named(ctx, c.views) // without names, addresses identify the destinations
	metrics <- prometheus.MustNewConstMetric(c.dropped, prometheus.CounterValue, float64(dropped))
	sums := map[[7]string]uint64{}
	for _, d := range list {
		sums[d.labels()] += d.Count
	}
	for labels, count := range sums {
		metrics <- prometheus.MustNewConstMetric(c.denied, prometheus.CounterValue, float64(count), labels[:]...)
	}
}

func (d Denial) labels() [7]string {
	document := d.Report()
	labels := [7]string{d.Client.Namespace, d.Client.Name, d.Service.Namespace, d.Service.Name, "", document.Side, d.Reason}
	switch {
	case d.Service != (entity.Name{}):
	case d.AtServer():
		labels[2], labels[4] = d.Server.Namespace, d.Server.String()
	default:
		labels[4] = document.Address
	}
	return labels
}
