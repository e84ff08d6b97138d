package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"

	"github.com/openservicemesh/osm-operator/internal/health"
)

// pollInterval is how often an absent API server is tried.
const pollInterval = 2 * time.Second

// awaitAPIServer waits until the API server answers, and serves health meanwhile. A program that exits instead is restarted with growing delays,
// and stays away for minutes after a long outage.
func awaitAPIServer(ctx context.Context, server discovery.ServerVersionInterface, serveHealth func(context.Context) error, interval time.Duration, log logr.Logger) error {
	if _, err := server.ServerVersion(); err == nil {
		return nil
	}
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- serveHealth(waiting) }()
	err := wait.PollUntilContextCancel(waiting, interval, true, func(context.Context) (bool, error) {
		_, err := server.ServerVersion()
		if err != nil {
			log.Info("waiting for the API server", "reason", err.Error())
		}
		return err == nil, nil
	})
	stop()
	// The address must be free for the manager.
	return errors.Join(err, <-served)
}

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
