package httpmetrics

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics holds osm_http_response_total and osm_http_response_duration. It is safe for concurrent use.
type Metrics struct {
	now       func() time.Time
	responses *prometheus.CounterVec
	duration  *prometheus.HistogramVec
}

// New registers the metrics. now is the clock.
func New(registerer prometheus.Registerer, now func() time.Time) *Metrics {
	labels := []string{"code", "method", "path"}
	m := &Metrics{
		now:       now,
		responses: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "osm_http_response_total", Help: "HTTP responses."}, labels),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "osm_http_response_duration", Help: "Seconds that HTTP responses take.", Buckets: prometheus.DefBuckets,
		}, labels),
	}
	registerer.MustRegister(m.responses, m.duration)
	return m
}

// Measure wraps a handler and counts its responses. Clients choose methods and paths, so unknown ones count as "other".
func (m *Metrics) Measure(next http.Handler, paths ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := m.now()
		recorder := &statusRecorder{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(recorder, r)
		method, path := r.Method, r.URL.Path
		if method != http.MethodGet && method != http.MethodPost {
			method = "other"
		}
		if !slices.Contains(paths, path) {
			path = "other"
		}
		labels := []string{strconv.Itoa(recorder.code), method, path}
		m.responses.WithLabelValues(labels...).Inc()
		m.duration.WithLabelValues(labels...).Observe(m.now().Sub(began).Seconds())
	})
}

// statusRecorder records the status code of a response.
type statusRecorder struct {
	http.ResponseWriter
	code int
}

// WriteHeader implements http.ResponseWriter.
func (r *statusRecorder) WriteHeader(code int) {
	r.code = code
	r.ResponseWriter.WriteHeader(code)
}
