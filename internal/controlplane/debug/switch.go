package debug

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
)

// Limits of a connection. A profile must end within writeLimit.
const (
	headerLimit = 5 * time.Second
	writeLimit  = 5 * time.Minute
	// tryAgain is the delay after a failed attempt to listen.
	tryAgain = 5 * time.Second
)

// Switch starts and stops a server at run time. It is off initially. Set is safe for concurrent use.
type Switch struct {
	listen  func() (net.Listener, error)
	handler http.Handler
	log     logr.Logger
	on      atomic.Bool
	changed chan struct{}
}

// NewSwitch returns a Switch for a server with the given handler. listen opens its listener.
func NewSwitch(listen func() (net.Listener, error), handler http.Handler, log logr.Logger) *Switch {
	return &Switch{listen: listen, handler: handler, log: log, changed: make(chan struct{}, 1)}
}

// Set turns the server on or off asynchronously.
func (s *Switch) Set(on bool) {
	s.on.Store(on)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Run serves while the switch is on, until ctx ends. Failures to listen are logged and retried, because the mesh does not depend on them.
func (s *Switch) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if s.on.Load() {
			s.serve(ctx)
			continue
		}
		select {
		case <-ctx.Done():
		case <-s.changed:
		}
	}
	return nil
}

// serve serves until the switch is off, ctx ends, or the server fails.
func (s *Switch) serve(ctx context.Context) {
	listener, err := s.listen()
	if err != nil {
		s.failed(ctx, err)
		return
	}
	server := &http.Server{Handler: s.handler, ReadHeaderTimeout: headerLimit, WriteTimeout: writeLimit}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	s.log.Info("the debug server is on", "address", listener.Addr().String())
	for s.on.Load() && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-s.changed:
		case err := <-ended:
			s.failed(ctx, err)
			return
		}
	}
	_ = server.Close()
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		s.log.Error(err, "the debug server ended by itself")
	}
	s.log.Info("the debug server is off")
}

// failed waits before the next attempt.
func (s *Switch) failed(ctx context.Context, err error) {
	s.log.Error(err, "the debug server does not run; trying again", "after", tryAgain)
	select {
	case <-ctx.Done():
	case <-s.changed:
	case <-time.After(tryAgain):
	}
}
