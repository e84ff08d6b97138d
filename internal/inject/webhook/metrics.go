package webhook

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts reviews and HTTP responses, under OSM's names.
type Metrics struct {
	reviews   *prometheus.CounterVec
	responses *prometheus.CounterVec
	duration  *prometheus.HistogramVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		reviews: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_admission_webhook_response_total", Help: "Admission reviews answered, by kind of object and whether it was allowed.",
		}, []string{"kind", "success"}),
		responses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_http_response_total", Help: "HTTP responses of the webhook server.",
		}, []string{"code", "method", "path"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "osm_http_response_duration", Help: "Duration of HTTP responses of the webhook server in seconds.", Buckets: prometheus.DefBuckets,
		}, []string{"code", "method", "path"}),
	}
	registry.MustRegister(m.reviews, m.responses, m.duration)
	return m
}

func (m *Metrics) review(kind string, allowed bool) {
	if kind != "Pod" {
		kind = "other"
	}
	m.reviews.WithLabelValues(kind, strconv.FormatBool(allowed)).Inc()
}

// measured counts the responses of a path. Methods are bounded, because callers choose them.
func (m *Metrics) measured(path string, next http.Handler, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := now()
		recorder := &statusRecorder{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(recorder, r)
		method := r.Method
		if method != http.MethodPost && method != http.MethodGet {
			method = "other"
		}
		labels := []string{strconv.Itoa(recorder.code), method, path}
		m.responses.WithLabelValues(labels...).Inc()
		m.duration.WithLabelValues(labels...).Observe(now().Sub(start).Seconds())
	})
}

type statusRecorder struct {
	http.ResponseWriter
	code int
}

// WriteHeader remembers the status code.
func (r *statusRecorder) WriteHeader(code int) {
	r.code = code
	r.ResponseWriter.WriteHeader(code)
}
