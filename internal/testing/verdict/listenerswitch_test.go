package verdict

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/legacyosm"
)

// listenerSwitch gives the connections of some sidecars to an earlier control plane first.
type listenerSwitch struct {
	listener      net.Listener
	ours, earlier chan net.Conn
	osm           map[netip.Addr]bool
	switched      atomic.Bool
}

// newListenerSwitch returns a listenerSwitch for sidecars at some addresses.
func newListenerSwitch(osm ...netip.Addr) *listenerSwitch {
	h := &listenerSwitch{ours: make(chan net.Conn), earlier: make(chan net.Conn), osm: map[netip.Addr]bool{}}
	for _, address := range osm {
		h.osm[address] = true
	}
	return h
}

// begin accepts the connections of a listener, and returns one for ours.
func (h *listenerSwitch) begin(listener net.Listener) net.Listener {
	h.listener = listener
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			to := h.ours
			if h.osm[addressOf(conn)] && !h.switched.Load() {
				to = h.earlier
			}
			select {
			case to <- conn:
			case <-time.After(time.Second): // nobody serves any more
				_ = conn.Close()
			}
		}
	}()
	return h.handed(h.ours)
}

func (h *listenerSwitch) handed(conns chan net.Conn) net.Listener {
	return &handed{address: h.listener.Addr(), conns: conns, closed: make(chan struct{})}
}

// toOurs stops the earlier control plane. The sidecars connect again.
func (h *listenerSwitch) toOurs(earlier *legacyosm.ControlPlane) {
	h.switched.Store(true)
	earlier.Stop()
}

// handed is a listener of accepted connections.
type handed struct {
	address net.Addr
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

// Accept implements net.Listener.
func (h *handed) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handed) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr implements net.Listener.
func (h *handed) Addr() net.Addr { return h.address }
