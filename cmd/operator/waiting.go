package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/openservicemesh/osm-operator/internal/platform/health"
)

// serveWaiting serves the health of an operator that waits for the API server.
func serveWaiting(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		if address == "" || address == "0" {
			<-ctx.Done()
			return nil
		}
		return health.Serve(ctx, health.Config{Address: address, Handler: waitingHandler(), OnClosed: func() {}})
	}
}

// waitingHandler reports that the operator is alive and not ready.
func waitingHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "waiting for the API server", http.StatusServiceUnavailable)
	})
	return mux
}
