package pods_test

import (
	"crypto/tls"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// TestHandshakes sends all kinds of TLS handshakes to a sidecar's inbound port, from a client without a sidecar.
func TestHandshakes(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.configure(t, s.clientScope(), s.serverScope())
	const webName, databaseName = "web.shop.svc.cluster.local", "database.shop.svc.cluster.local"
	mesh, second := s.network.CA, pki.New(t)
	request := "GET /books/1 HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"
	for name, test := range map[string]struct {
		port, server, protocol string
		certificates           []tls.Certificate
		want                   string
	}{
		"the buyer":                          {"8080", webName, "osm", certificate(t, mesh, buyer), "HTTP/1.1 200 "},
		"no certificate":                     {"8080", webName, "osm", nil, ""},
		"the buyer of another mesh":          {"8080", webName, "osm", certificate(t, second, buyer), ""},
		"the thief":                          {"8080", webName, "osm", certificate(t, mesh, thief), ""},
		"another application protocol":       {"8080", webName, "h2", certificate(t, mesh, buyer), ""},
		"another server name":                {"8080", "other.shop.svc.cluster.local", "osm", certificate(t, mesh, buyer), ""},
		"the name of another port":           {"8080", databaseName, "osm", certificate(t, mesh, buyer), ""},
		"the buyer at the database":          {"3306", databaseName, "osm", certificate(t, mesh, buyer), "welcome\n"},
		"the thief at the database":          {"3306", databaseName, "osm", certificate(t, mesh, thief), ""},
		"the other buyer at the database":    {"3306", databaseName, "osm", certificate(t, second, buyer), ""},
		"no certificate at the database":     {"3306", databaseName, "osm", nil, ""},
		"no certificate at a permissive one": {"8081", "leaf.shop.svc.cluster.local", "osm", nil, ""},
		"the thief at a permissive one":      {"8081", "leaf.shop.svc.cluster.local", "osm", certificate(t, mesh, thief), "HTTP/1.1 200 "},
	} {
		t.Run(name, func(t *testing.T) {
			plain, err := s.stranger.Dial(t, s.server.IP.String()+":"+test.port)
			if err != nil {
				t.Fatal(err)
			}
			conn := tls.Client(plain, &tls.Config{
				ServerName: test.server, NextProtos: []string{test.protocol}, Certificates: test.certificates,
				// Only the server's verification is under test.
				InsecureSkipVerify: true,
			})
			if err := conn.SetDeadline(time.Now().Add(3 * time.Second)); err != nil {
				t.Fatal(err)
			}
			_, writeErr := io.WriteString(conn, request)
			got, err := io.ReadAll(conn)
			if test.want == "" && (len(got) > 0 || isTimeout(err)) {
				t.Errorf("received %q, %v, want a closed connection", got, err)
			}
			if !strings.HasPrefix(string(got), test.want) {
				t.Errorf("received %q, %v, %v, want %q", got, writeErr, err, test.want)
			}
		})
	}
}

func certificate(t *testing.T, ca *pki.Authority, sa identity.ServiceAccount) []tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(ca.Issue(t, sa, trustDomain))
	if err != nil {
		t.Fatal(err)
	}
	return []tls.Certificate{pair}
}
