package connlimit

import "net"

// Listener is a listener whose connections a Limiter counts until they are closed.
type Listener struct {
	net.Listener
	limiter *Limiter
}

// NewListener returns a Listener. Its connections wait for their clients at first.
func NewListener(inner net.Listener, limiter *Limiter) Listener {
	return Listener{inner, limiter}
}

// Accept implements net.Listener. Connections that are refused are closed.
func (l Listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn, err := l.limiter.Admit(raw)
		if err != nil {
			_ = raw.Close()
			continue
		}
		conn.SetBusy(false)
		return conn, nil
	}
}
