package httplimit

import (
	"net"
	"net/http"
	"time"
)

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

// Apply makes a server respect the profile, and returns the listener to serve. It calls onClosed for each connection that is rejected or
// closed because of a limit.
func (p Profile) Apply(server *http.Server, listener net.Listener, onClosed func()) net.Listener {
	server.ReadHeaderTimeout, server.ReadTimeout = p.HeaderTimeout, p.ReadTimeout
	server.WriteTimeout, server.IdleTimeout, server.MaxHeaderBytes = p.WriteTimeout, p.IdleTimeout, p.MaxHeader
	return Apply(server, listener, p.Limits, onClosed)
}
