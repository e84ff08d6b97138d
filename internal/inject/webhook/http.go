package webhook

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

const (
	// Path is where the API server sends reviews of pods.
	Path = "/mutate-pod-creation"
	// maxBody is more than a pod of the largest size that the API server stores, with its review around it.
	maxBody = 3 << 20
)

// NewServeMux serves reviews and the health of the server.
func NewServeMux(handler admission.Handler, metrics *Metrics, now func() time.Time) http.Handler {
	recoverPanics := true
	review := &admission.Webhook{
		Handler: admission.HandlerFunc(func(ctx context.Context, req admission.Request) admission.Response {
			response := handler.Handle(ctx, req)
			metrics.review(req.Kind.Kind, response.Allowed)
			return response
		}),
		RecoverPanic: &recoverPanics,
	}
	mux := http.NewServeMux()
	mux.Handle(Path, metrics.measured(Path, onlyReviews(review), now))
	mux.Handle("/healthz", metrics.measured("/healthz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "alive")
	}), now))
	return mux
}

// onlyReviews refuses what the API server does not send before it is read.
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
