package webhook

import (
	"context"
	"fmt"
	"mime"
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
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
