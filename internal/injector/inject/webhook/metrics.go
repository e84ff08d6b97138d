package webhook

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/platform/httpmetrics"
)

// Metrics counts reviews and HTTP responses, under OSM's names.
type Metrics struct {
	reviews   *prometheus.CounterVec
	responses *httpmetrics.Metrics
}

// NewMetrics registers the metrics. now is the clock.
func NewMetrics(registerer prometheus.Registerer, now func() time.Time) *Metrics {
	m := &Metrics{
		reviews: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_admission_webhook_response_total", Help: "Admission reviews answered, by kind of object and whether it was allowed.",
		}, []string{"kind", "success"}),
		responses: httpmetrics.New(registerer, now),
	}
	registerer.MustRegister(m.reviews)
	return m
}

// countReview counts a review. Callers choose the kind, so all kinds but Pod count as "other".
func (m *Metrics) countReview(kind string, allowed bool) {
	if kind != "Pod" {
		kind = "other"
	}
	m.reviews.WithLabelValues(kind, strconv.FormatBool(allowed)).Inc()
}
