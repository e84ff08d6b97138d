package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/httplimit"
)

// Limits of a connection.
const (
	headerLimit = 5 * time.Second
	readLimit   = 10 * time.Second
	writeLimit  = time.Minute
	idleLimit   = time.Minute
	maxHeader   = 32 << 10
)

// Config configures a server. All fields are required.
type Config struct {
	Listener    net.Listener
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Handler     http.Handler
	// OnClosed is called for each connection that is refused or closed because of a limit.
	OnClosed func()
}

// limits leave room for the operator, the other replicas and users.
func limits() httplimit.Limits {
	return httplimit.Limits{Connections: 256, ConnectionsPerAddress: 32, Requests: 16, RequestsPerAddress: 4}
}

// Serve serves a handler over TLS until ctx ends, then closes the listener.
func Serve(ctx context.Context, config Config) error {
	server := &http.Server{
		Handler: config.Handler, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: config.Certificate},
		ReadHeaderTimeout: headerLimit, ReadTimeout: readLimit, WriteTimeout: writeLimit, IdleTimeout: idleLimit, MaxHeaderBytes: maxHeader,
	}
	listener := httplimit.Apply(server, config.Listener, limits(), config.OnClosed)
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the report server on %s stopped: %w", config.Listener.Addr(), err)
	}
	return nil
}
