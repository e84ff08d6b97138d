package webhook

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/openservicemesh/osm-operator/internal/platform/httpmetrics"
)

const (
	// Path is the path of admission reviews for pods.
	Path = "/mutate-pod-creation"
	// maxBody exceeds the largest pod that the API server stores, including its review.
	maxBody = 3 << 20
)

// NewServeMux returns a handler for reviews and the health endpoint.
func NewServeMux(handler admission.Handler, metrics *Metrics) http.Handler {
	recoverPanics := true
	review := &admission.Webhook{
		Handler: admission.HandlerFunc(func(ctx context.Context, req admission.Request) admission.Response {
			response := handler.Handle(ctx, req)
			metrics.countReview(req.Kind.Kind, response.Allowed)
			return response
		}),
		RecoverPanic: &recoverPanics,
	}
	mux := http.NewServeMux()
	mux.Handle(Path, metrics.responses.Measure(onlyReviews(review), Path))
	mux.Handle("/healthz", metrics.responses.Measure(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "alive")
	}), "/healthz"))
	return mux
}

// onlyReviews rejects requests that cannot come from an API server before it reads their bodies.
func onlyReviews(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		switch {
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "admission reviews are sent with POST", http.StatusMethodNotAllowed)
		case err != nil || media != "application/json":
			http.Error(w, "admission reviews are JSON: set the header Content-Type to application/json", http.StatusUnsupportedMediaType)
		case r.ContentLength > maxBody:
			http.Error(w, fmt.Sprintf("the admission review is larger than %d bytes", maxBody), http.StatusRequestEntityTooLarge)
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			next.ServeHTTP(w, r)
		}
	})
}

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
