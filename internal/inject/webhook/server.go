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

// leaveTime is how long a server that was told to stop still answers: until every API server knows that it is gone.
// shutdownTime is how long reviews that have begun may take after that.
const (
	leaveTime    = 5 * time.Second
	shutdownTime = 20 * time.Second
)

// Serve answers reviews on a listener with the certificate that get returns at the time, until ctx ends and then a little
// longer.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) error {
	// With HTTP/2 an API server would send all its reviews over one connection, to one replica.
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
		time.Sleep(leaveTime)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		stopped <- server.Shutdown(last)
	}()
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the webhook server on %s stopped: %w", listener.Addr(), err)
	}
	return <-stopped
}
