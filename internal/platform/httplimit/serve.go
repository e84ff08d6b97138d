package httplimit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// shutdownTimeout is the default of Shutdown.Timeout.
const shutdownTimeout = 10 * time.Second

// Shutdown is how a server stops.
type Shutdown struct {
	// Delay is how long it still accepts connections.
	Delay time.Duration
	// Timeout limits the requests that are in progress then. The default is ten seconds.
	Timeout time.Duration
}

// ServeTLS serves on a listener that Apply has returned, until ctx ends. It returns when the requests in progress have ended.
func ServeTLS(ctx context.Context, server *http.Server, listener net.Listener, shutdown Shutdown) error {
	stopped := make(chan error, 1)
	cancel := context.AfterFunc(ctx, func() {
		time.Sleep(shutdown.Delay)
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(shutdown.Timeout, shutdownTimeout))
		defer cancel()
		stopped <- server.Shutdown(stopping)
	})
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		cancel()
		return fmt.Errorf("the server on %s stopped: %w", listener.Addr(), err)
	}
	return <-stopped
}

// Profile is everything that limits the clients of a server: Limits, and the times and sizes of one connection.
type Profile struct {
	Limits
	// HeaderTimeout limits the handshake and the headers of a request, ReadTimeout the whole request.
	HeaderTimeout, ReadTimeout time.Duration
	// WriteTimeout limits the response, IdleTimeout the time between two requests.
	WriteTimeout, IdleTimeout time.Duration
	// MaxHeader limits the headers of a request in bytes.
	MaxHeader int
}
