package message

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

// DataTimeout is how long data of a connection may stay unacknowledged; the kernel's limit is about a quarter of an hour. The timeout also ends the
// connection to a peer that does not read for so long, and an application may pause for minutes.
const DataTimeout = 6 * time.Minute

// Numbers of the socket option TCP_USER_TIMEOUT in Linux, where sidecars run. This package is also compiled for other systems.
const (
	levelTCP    = 6
	userTimeout = 18
)

// UserTimeout ends upstream connections whose data stays unacknowledged for a time.
func UserTimeout(d time.Duration) *corev3.BindConfig {
	return &corev3.BindConfig{SocketOptions: []*corev3.SocketOption{{
		Level: levelTCP, Name: userTimeout, State: corev3.SocketOption_STATE_PREBIND, Value: &corev3.SocketOption_IntValue{IntValue: d.Milliseconds()},
	}}}
}
