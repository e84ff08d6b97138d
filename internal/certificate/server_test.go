package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// handshake performs a TLS handshake as a sidecar does and returns the server's certificate.
func handshake(t *testing.T, s *ServerCertificate, bundle []byte) *x509.Certificate {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	near, far := net.Pipe()
	server := tls.Server(far, s.TLSConfig())
	client := tls.Client(near, &tls.Config{RootCAs: roots, ServerName: "ads.cluster.local", NextProtos: []string{"h2"}, Time: time.Now})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return client.ConnectionState().PeerCertificates[0]
}

func TestServerCertificate_RenewsDuringHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, time.Hour, true)
		s := NewServerCertificate(m, time.Now, "ads.cluster.local")
		first := handshake(t, s, m.Root())
		time.Sleep(15 * time.Hour)
		if !handshake(t, s, m.Root()).Equal(first) {
			t.Error("renewed before two thirds of its life")
		}
		time.Sleep(2 * time.Hour)
		second := handshake(t, s, m.Root())
		if second.Equal(first) {
			t.Error("not renewed at two thirds of its life")
		}
		next := newRoot(t, KeySpec{})
		m.SetRoot(next)
		if handshake(t, s, next.CertPEM()).Equal(second) {
			t.Error("not renewed for the new root")
		}
	})
}
