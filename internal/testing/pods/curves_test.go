package pods_test

import (
	"crypto/tls"
	"testing"
)

// TestKeyExchangeOfSidecars offers curves to the sidecar of a server, as sidecars, gateways and other clients do. It takes the one that resists quantum computers
// if the client has it. That is the default of Envoy 1.40; the sidecars of version 1.39 take X25519.
func TestKeyExchangeOfSidecars(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.configure(t, s.clientScope(), s.serverScope())
	for name, test := range map[string]struct {
		offered []tls.CurveID
		want    tls.CurveID
	}{
		"both":              {[]tls.CurveID{tls.X25519MLKEM768, tls.X25519}, tls.X25519MLKEM768},
		"an earlier client": {[]tls.CurveID{tls.X25519}, tls.X25519},
		"a simple client":   {[]tls.CurveID{tls.CurveP256}, tls.CurveP256},
	} {
		t.Run(name, func(t *testing.T) {
			config := s.as(t, s.network.CA, buyer)
			config.CurvePreferences = test.offered
			conn := s.stolen(config)(t).(*tls.Conn)
			defer conn.Close()
			if err := conn.Handshake(); err != nil {
				t.Fatal(err)
			}
			if got := conn.ConnectionState().CurveID; got != test.want {
				t.Errorf("the key exchange has the curve %s, want %s", got, test.want)
			}
		})
	}
}
