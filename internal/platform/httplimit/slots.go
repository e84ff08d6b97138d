package httplimit

import (
	"context"
	"net/netip"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

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
	if err := take(ctx, a.taken); err != nil {
		s.leave(key, a)
		return nil, err
	}
	if err := take(ctx, s.taken); err != nil {
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

func take(ctx context.Context, taken chan<- struct{}) error {
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
