package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// drainTimeout limits requests that are still running when the listener closes.
const drainTimeout = 5 * time.Second

// Serve listens on the settings' port, on IPv4 and IPv6, until ctx is done. Readiness then fails at once, but serving
// continues for the linger time, because clients receive the removal of the endpoint with a delay. Finally it drains running requests.
func Serve(ctx context.Context, s Settings, web *Web, log *slog.Logger) error {
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", s.Port))
	if err != nil {
		return fmt.Errorf("cannot listen on port %d: %w", s.Port, err)
	}
	log.Info("serving", "app", s.App, "identity", s.Identity, "address", listener.Addr().String())
	return serveOn(ctx, listener, s.Linger, web, log)
}

func serveOn(ctx context.Context, listener net.Listener, linger time.Duration, web *Web, log *slog.Logger) error {
	server := &http.Server{Handler: web, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("the server failed: %w", err)
	case <-ctx.Done():
	}
	log.Info("stopping: not ready, still serving", "for", linger)
	web.Stopping()
	timer := time.NewTimer(linger)
	defer timer.Stop()
	select {
	case err := <-failed:
		return fmt.Errorf("the server failed while it was stopping: %w", err)
	case <-timer.C:
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return fmt.Errorf("requests were still running %s after the listener closed: %w", drainTimeout, err)
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	log.Info("stopped")
	return nil
}
