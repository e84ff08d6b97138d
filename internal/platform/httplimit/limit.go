package httplimit

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/platform/connlimit"
)

// Limits are the limits of a server.
type Limits struct {
	// Connections is how many connections may be open, ConnectionsPerAddress how many of them from one address.
	Connections, ConnectionsPerAddress int
	// Requests is how many requests are handled at the same time, RequestsPerAddress how many of them from one address.
	// Others wait in order, so an address delays others by its own limit only.
	Requests, RequestsPerAddress int
	// Body limits request bodies in bytes. Zero means that the handler reads bodies itself.
	Body int64
	// SmallBody is the size up to which all requests may have a body at the same time. Larger ones share LargeBodies places.
	SmallBody   int64
	LargeBodies int
}

// connKey is the key of a connection in the context of its requests.
type connKey struct{}

// Apply makes a server respect the profile, and returns the listener to serve. It calls onClosed for each connection that is
// rejected or closed because of a limit.
func (p Profile) Apply(server *http.Server, listener net.Listener, onClosed func()) net.Listener {
	server.ReadHeaderTimeout, server.ReadTimeout = p.HeaderTimeout, p.ReadTimeout
	server.WriteTimeout, server.IdleTimeout, server.MaxHeaderBytes = p.WriteTimeout, p.IdleTimeout, p.MaxHeader
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if secure, ok := conn.(*tls.Conn); ok {
			conn = secure.NetConn()
		}
		return context.WithValue(ctx, connKey{}, conn)
	}
	// A connection has one request at a time, so that the limits of connections apply to requests.
	server.Protocols = &http.Protocols{}
	server.Protocols.SetHTTP1(true)
	h := &handler{
		next: server.Handler, limits: p.Limits,
		requests: newSlots(p.Requests, p.RequestsPerAddress), large: make(chan struct{}, p.LargeBodies),
	}
	server.Handler = h
	connections := connlimit.Limits{Total: p.Connections, PerAddress: p.ConnectionsPerAddress}
	return connlimit.NewListener(listener, connlimit.New(connections, onClosed))
}

// handler reads bodies within the limits, and then handles requests in turn for each address. A connection counts as busy
// only while its request is handled, so a client that sends slowly keeps no other client out.
type handler struct {
	next     http.Handler
	limits   Limits
	requests *slots
	large    chan struct{}
}

var errTooLarge = errors.New("the request is too large")

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, ok := r.Context().Value(connKey{}).(*connlimit.Conn)
	if !ok {
		http.Error(w, "the connection is not limited", http.StatusInternalServerError)
		return
	}
	if h.limits.Body > 0 {
		release, err := h.readBody(r)
		if errors.Is(err, errTooLarge) {
			http.Error(w, fmt.Sprintf("the request is larger than %d bytes", h.limits.Body), http.StatusRequestEntityTooLarge)
			return
		}
		if err != nil {
			http.Error(w, "the request cannot be read: "+err.Error(), http.StatusBadRequest)
			return
		}
		defer release()
	}
	release, err := h.requests.acquire(r.Context(), conn.Address())
	if err != nil {
		return
	}
	defer release()
	conn.SetBusy(true)
	defer conn.SetBusy(false)
	h.next.ServeHTTP(w, r)
}

// readBody replaces the body of a request by its content in memory. The caller calls release when it does not need it any more.
func (h *handler) readBody(r *http.Request) (release func(), err error) {
	if r.ContentLength > h.limits.Body {
		return nil, errTooLarge
	}
	content := &bytes.Buffer{}
	n, err := io.CopyN(content, r.Body, h.limits.SmallBody)
	release = func() {}
	if err == nil {
		select {
		case h.large <- struct{}{}:
			release = func() { <-h.large }
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		var more int64
		more, err = io.CopyN(content, r.Body, h.limits.Body+1-n)
		n += more
	}
	switch {
	case n > h.limits.Body:
		release()
		return nil, errTooLarge
	case !errors.Is(err, io.EOF):
		release()
		return nil, err
	}
	r.Body = io.NopCloser(content)
	return release, nil
}

// slots limits concurrent requests, in total and of each address.
type slots struct {
	taken      chan struct{}
	perAddress int

	mu        sync.Mutex
	byAddress map[netip.Addr]*address
}

// address has the slots of an address that has requests.
type address struct {
	taken chan struct{}
	users int
}

func newSlots(total, perAddress int) *slots {
	return &slots{taken: make(chan struct{}, total), perAddress: perAddress, byAddress: map[netip.Addr]*address{}}
}

// acquire waits for a slot of the address, and then for one in total. The caller calls release after the request.
func (s *slots) acquire(ctx context.Context, key netip.Addr) (release func(), err error) {
	a := s.join(key)
	if err := takeSlot(ctx, a.taken); err != nil {
		s.leave(key, a)
		return nil, err
	}
	if err := takeSlot(ctx, s.taken); err != nil {
		<-a.taken
		s.leave(key, a)
		return nil, err
	}
	return func() {
		<-s.taken
		<-a.taken
		s.leave(key, a)
	}, nil
}

func takeSlot(ctx context.Context, taken chan<- struct{}) error {
	select {
	case taken <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slots) join(key netip.Addr) *address {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.byAddress[key]
	if a == nil {
		a = &address{taken: make(chan struct{}, s.perAddress)}
		s.byAddress[key] = a
	}
	a.users++
	return a
}

func (s *slots) leave(key netip.Addr, a *address) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.users--; a.users == 0 {
		delete(s.byAddress, key)
	}
}

// Metrics counts what limits reject.
type Metrics struct{ closed prometheus.Counter }

// NewMetrics registers the metrics.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	m := &Metrics{closed: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "osm_http_connection_closed_count", Help: "Connections that were refused or closed because too many were open.",
	})}
	registerer.MustRegister(m.closed)
	return m
}

// CountClosed counts a connection that was refused or closed because of a limit.
func (m *Metrics) CountClosed() { m.closed.Inc() }
