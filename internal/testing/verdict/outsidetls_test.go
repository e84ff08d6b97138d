package verdict

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
	podstest "github.com/openservicemesh/osm-operator/internal/testing/pods"
)

const (
	// outsideName is the name in the certificate of the servers outside the mesh.
	outsideName = "outside.example.com"
	// overTLS is part of the answer to a request that arrived over TLS.
	overTLS = " over TLS"
	// handshakeByte is the first one of a connection with TLS.
	handshakeByte = 0x16
)

// outsideCertificate returns the certificate of the servers outside the mesh.
func outsideCertificate(t testing.TB, authority *pki.Authority) tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(authority.Issue(t, identity.ServiceAccount{Namespace: "example", Name: "outside"}, "com"))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// serveEither runs an HTTP server that accepts connections with and without TLS. It responds with its address, and with overTLS.
func serveEither(t testing.TB, pod *podstest.Pod, address string, pair tls.Certificate) {
	t.Helper()
	type key struct{}
	server := &http.Server{
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context { return context.WithValue(ctx, key{}, conn) },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			name := address
			if conn, ok := r.Context().Value(key{}).(*eitherConn); ok && conn.encrypted {
				name += overTLS
			}
			w.Header().Set(podHeader, name)
		}),
	}
	listener := eitherListener{pod.NS.Listen(t, address), &tls.Config{Certificates: []tls.Certificate{pair}}}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
}

// eitherListener accepts connections with and without TLS.
type eitherListener struct {
	net.Listener
	config *tls.Config
}

// Accept implements net.Listener.
func (l eitherListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &eitherConn{Conn: conn, config: l.config}, nil
}

// eitherConn is a connection whose first byte decides whether it is encrypted. The server reads before it writes.
type eitherConn struct {
	net.Conn
	config *tls.Config
	// inner is nil until the first byte was read. It is encrypted or not.
	inner     net.Conn
	encrypted bool
}

func (c *eitherConn) Read(p []byte) (int, error) {
	if c.inner == nil {
		reader := bufio.NewReader(c.Conn)
		first, err := reader.Peek(1)
		if err != nil {
			return 0, err
		}
		c.inner, c.encrypted = peekedConn{c.Conn, reader}, first[0] == handshakeByte
		if c.encrypted {
			c.inner = tls.Server(c.inner, c.config)
		}
	}
	return c.inner.Read(p)
}

func (c *eitherConn) Write(p []byte) (int, error) { return c.inner.Write(p) }

// peekedConn is a connection of which a reader has the beginning.
type peekedConn struct {
	net.Conn
	reader *bufio.Reader
}

func (c peekedConn) Read(p []byte) (int, error) { return c.reader.Read(p) }
