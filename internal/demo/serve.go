package demo

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
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

// Program is one program of the demo. It runs until ctx is done.
type Program func(ctx context.Context, args []string, getenv func(string) string, log *slog.Logger) error

// Main runs a program with the arguments, environment and signals of this process, and returns the exit code.
func Main(p Program) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stdout, nil))
	err := p(ctx, os.Args[1:], os.Getenv, log)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 2
	case err != nil:
		log.Error(err.Error())
		return 1
	}
	return 0
}

// Port is the port of every program of the demo.
const Port = 14001

// Paths of the requests between programs. Policies refer to them.
const (
	// PathBooksBought returns the number of books sold (GET).
	PathBooksBought = "/books-bought"
	// PathBuyBook sells one book (GET, as in the Open Service Mesh demo).
	PathBuyBook = "/buy-a-book/new"
	// PathUpdateBooksBought sets the number of books sold (POST, with the number in the header Booksbought).
	PathUpdateBooksBought = "/update-books-bought"
	// PathRestock restocks the number of books in the body (POST).
	PathRestock = "/restock-books"
)

// Headers of the requests and responses between programs.
const (
	// HeaderIdentity is the response header with the version of the server.
	HeaderIdentity = "Identity"
	// HeaderBooksBought carries the number of books sold.
	HeaderBooksBought = "Booksbought"
	// HeaderClientApp is the request header with the name of the client program. Policies match it.
	HeaderClientApp = "client-app"
	// HeaderUserAgent is the standard request header. Policies match it as userAgent.
	HeaderUserAgent = "user-agent"
)

// userAgent matches the expression ".*-http-client/*.*" of the policies.
const userAgent = "Go-http-client/1.1"
