package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// propagationDelay is how long a stopping server still accepts reviews, until every API server has removed its endpoint.
// shutdownTimeout limits the reviews that are in flight after that.
const (
	propagationDelay = 5 * time.Second
	shutdownTimeout  = 20 * time.Second
)

// Serve serves reviews on a listener until ctx ends, and then drains. It calls get for the certificate of each handshake.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) error {
	// With HTTP/2 an API server would send all reviews over one connection, and so to one replica.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	server := &http.Server{
		Protocols:         &protocols,
		Handler:           handler,
		TLSConfig:         &tls.Config{GetCertificate: get, MinVersion: tls.VersionTLS13},
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		time.Sleep(propagationDelay)
		shutdownCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		stopped <- server.Shutdown(shutdownCtx)
	}()
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the webhook server on %s stopped: %w", listener.Addr(), err)
	}
	return <-stopped
}
