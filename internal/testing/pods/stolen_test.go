package pods_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// webServer is the name that sidecars send in the handshake with the Service web.
const webServer = "web.shop.svc.cluster.local"

// stolen connects to the server's sidecar with a certificate, and without a sidecar of its own that would correct the request.
func (s *shop) stolen(config *tls.Config) func(*testing.T) net.Conn {
	return func(t *testing.T) net.Conn {
		t.Helper()
		plain, err := s.stranger.Dial(t, s.server.IP.String()+":8080")
		if err != nil {
			t.Fatal(err)
		}
		if err := plain.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return tls.Client(plain, config)
	}
}

// as is the TLS configuration of a client with the certificate of a workload.
func (s *shop) as(t *testing.T, authority *pki.Authority, sa identity.ServiceAccount) *tls.Config {
	t.Helper()
	// Only the server's verification is under test.
	return &tls.Config{ServerName: webServer, NextProtos: []string{"osm"}, Certificates: certificate(t, authority, sa), InsecureSkipVerify: true}
}

// TestStolenCertificateOverHTTP1 sends the attacks of threats 15 to 21 with the client's certificate, past its sidecar.
func TestStolenCertificateOverHTTP1(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.configure(t, s.clientScope(), s.serverScope())
	s.dial = s.stolen(s.as(t, s.network.CA, buyer))
	t.Run("Threat15", s.dirtyPaths)
	t.Run("Threat16", s.ambiguousPaths)
	t.Run("Threat17", s.hosts)
	t.Run("Threat18", s.headerNames)
	t.Run("Threat19", s.headerBytes)
	t.Run("Threat20", s.forgedHeaders)
	t.Run("Threat21", func(t *testing.T) {
		s.check(t, []raw{
			{"/admin", "Upgrade: websocket\r\nConnection: Upgrade\r\n", "403"},
			{"/other", "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n", "404"},
		})
		if got := s.status(t, "CONNECT 10.0.0.1:22 HTTP/1.1\r\nHost: 10.0.0.1:22\r\n"); got != "404" {
			t.Errorf("CONNECT = %q, want 404", got)
		}
	})
	t.Run("smuggling", func(t *testing.T) {
		s.check(t, []raw{
			{"/books/1", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "400"},
			{"/books/1", "Content-Length: 5\r\nContent-Length: 6\r\n", "400"},
			{"/books/1", "Transfer-Encoding: xchunked\r\n", "501"},
			{"/books/1", "Transfer-Encoding : chunked\r\n", "400"},
			{"/books/1", " folded: x\r\n", "400"},
			{"/books/1", "a: b\rGET /admin HTTP/1.1\r\n", "200"}, // Envoy removes the carriage return
		})
	})
}

// forgedHeaders sends the headers of Envoy, which only the server's sidecar may set.
func (s *shop) forgedHeaders(t *testing.T) {
	s.forge(t, "")
	s.forge(t, "x-forwarded-for: 10.9.9.9\r\n")
}

// forge sends them with further ones.
func (s *shop) forge(t *testing.T, more string) {
	t.Helper()
	conn := s.dial(t)
	defer conn.Close()
	_, err := io.WriteString(conn, "GET /books/1 HTTP/1.1\r\nHost: web\r\nConnection: close\r\n"+
		"x-forwarded-client-cert: URI=spiffe://cluster.local/thief/shop\r\nx-envoy-internal: true\r\nx-envoy-retry-on: 5xx\r\n"+
		"x_forwarded_client_cert: a\r\nx_envoy-internal: true\r\nx-envoy_retry-on: a\r\nx_osm_destination: a\r\ncontent_length: 1\r\nx-request_id: a\r\n"+
		"x-envoy-expected-rq-timeout-ms: 1\r\nx-envoy-ip-tags: a\r\nx-envoy-upstream-rq-timeout-ms: 1\r\n"+more+"\r\n")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	// Other x-envoy headers describe a request and reach the application as claims of the client, like x-forwarded-for.
	for _, name := range []string{
		"X-Forwarded-Client-Cert", "X-Envoy-Internal", "X-Envoy-Retry-On", "X-Envoy-Expected-Rq-Timeout-Ms", "X-Envoy-Ip-Tags", "X-Envoy-Upstream-Rq-Timeout-Ms",
		"X_forwarded_client_cert", "X_envoy-Internal", "X-Envoy_retry-On", "X_osm_destination", "Content_length", "X-Request_id",
	} {
		if value := answer.Header.Get("Saw-" + name); answer.StatusCode != http.StatusOK || value != "" {
			t.Errorf("the application received %s: %q with status %d", name, value, answer.StatusCode)
		}
	}
}

// TestStolenCertificateOverHTTP2 sends requests that no HTTP library would send, frame by frame.
func TestStolenCertificateOverHTTP2(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.configure(t, s.clientScope(), s.serverScope())
	s.dial = s.stolen(s.as(t, s.network.CA, buyer))
	for _, test := range []struct {
		name   string
		fields []string
		want   string
	}{
		{"what is granted", get("/books/1"), "200"},
		{"what is granted to another client", get("/admin"), "403"},
		{"repeated slashes", get("//admin"), "403"},
		{"dot segments", get("/books/../admin"), "403"},
		{"encoded dots", get("/books/%2e%2e/admin"), "403"},
		{"encoded slash", get("/books/..%2Fadmin"), "400"},
		{"fragment", get("/books/1#/admin"), "400"},
		{"absolute path", get("http://web/admin"), "reset"},
		{"no slash", get("admin"), "reset"},
		{"empty path", get(""), "reset"},
		{"underscore", append(get("/books/1"), "user_id", "1"), "200"},
		{"upper case", append(get("/books/1"), "User", "1"), "reset"},
		{"line break", append(get("/books/1"), "a", "b\r\nhost: c"), "reset"},
		{"NUL", append(get("/books/1"), "a", "b\x00"), "reset"},
		{"connection header", append(get("/books/1"), "connection", "keep-alive"), "reset"},
		{"transfer encoding", append(get("/books/1"), "transfer-encoding", "chunked"), "reset"},
		{"another host", append(get("/books/1"), "host", "other"), "200"},
		{"two authorities", append([]string{":authority", "other"}, get("/books/1")...), "reset"},
		{"two paths", append([]string{":path", "/books/2"}, get("/admin")...), "reset"},
		{"two methods", append([]string{":method", "GET"}, get("/admin")...), "reset"},
		{"pseudo-header at the end", append([]string{"a", "b"}, get("/books/1")...), "reset"},
		{"unknown pseudo-header", append([]string{":admin", "true"}, get("/books/1")...), "reset"},
		{"method in lower case", []string{":method", "get", ":scheme", "https", ":authority", "web", ":path", "/books/1"}, "404"},
		{"another method", []string{":method", "POST", ":scheme", "https", ":authority", "web", ":path", "/books/1"}, "404"},
		{"CONNECT", []string{":method", "CONNECT", ":authority", "10.0.0.1:22"}, "404"},
		{"extended CONNECT", []string{":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "web", ":path", "/admin"}, "reset"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := exchangeHTTP2(s.dial(t), test.fields); got != test.want {
				t.Errorf("%q = %s, want %s", test.fields, got, test.want)
			}
		})
	}
}

// get are the header fields of a GET request: names and values in turn.
func get(path string) []string {
	return []string{":method", "GET", ":scheme", "https", ":authority", "web", ":path", path}
}

// exchangeHTTP2 sends one request over HTTP/2 and returns its status, or "reset" if the server ends the stream or the connection.
func exchangeHTTP2(conn net.Conn, fields []string) string {
	defer conn.Close()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		if err := encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			return err.Error()
		}
	}
	framer := http2.NewFramer(conn, conn)
	framer.AllowIllegalWrites = true
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_, err := io.WriteString(conn, http2.ClientPreface)
	err = errors.Join(err, framer.WriteSettings(), framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true,
	}))
	for err == nil {
		var frame http2.Frame
		if frame, err = framer.ReadFrame(); err != nil {
			break
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			return frame.PseudoValue("status")
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return "reset"
		}
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "no answer"
	}
	return "reset"
}

// TestHandshakesOfStolenCertificates checks who may connect to a port: the holder of a valid certificate of an account that the
// policies allow, for the Service that is on the port.
func TestHandshakesOfStolenCertificates(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.configure(t, s.clientScope(), s.serverScope())
	second := pki.New(t)
	for name, test := range map[string]struct {
		sa        identity.ServiceAccount
		authority *pki.Authority
		change    func(*tls.Config)
		want      string
	}{
		"an allowed client":                      {buyer, s.network.CA, func(*tls.Config) {}, "200"},
		"another client":                         {thief, s.network.CA, func(*tls.Config) {}, "closed"},
		"the server itself":                      {books, s.network.CA, func(*tls.Config) {}, "closed"},
		"the same name by another authority":     {buyer, second, func(*tls.Config) {}, "closed"},
		"no certificate":                         {buyer, s.network.CA, func(c *tls.Config) { c.Certificates = nil }, "closed"},
		"a Service of another port":              {buyer, s.network.CA, func(c *tls.Config) { c.ServerName = "stateful.shop.svc.cluster.local" }, "closed"},
		"no server name":                         {buyer, s.network.CA, func(c *tls.Config) { c.ServerName = "" }, "closed"},
		"a server name with a dot":               {buyer, s.network.CA, func(c *tls.Config) { c.ServerName = webServer + ".x" }, "closed"},
		"the ALPN of browsers":                   {buyer, s.network.CA, func(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} }, "closed"},
		"no ALPN":                                {buyer, s.network.CA, func(c *tls.Config) { c.NextProtos = nil }, "closed"},
		"TLS 1.1":                                {buyer, s.network.CA, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 }, "closed"},
		"a namespace that differs by a dot only": {identity.ServiceAccount{Namespace: "shop.x", Name: "buyer"}, s.network.CA, func(*tls.Config) {}, "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			config := s.as(t, test.authority, test.sa)
			test.change(config)
			if got := askOnce(s.stolen(config)(t)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// askOnce sends a request over HTTP/1.1 and returns its status, or "closed".
func askOnce(conn net.Conn) string {
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /books/1 HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	if isTimeout(err) {
		return "no answer"
	}
	if fields := strings.Fields(line); err == nil && len(fields) > 1 {
		return fields[1]
	}
	return "closed"
}

// TestResumedSessionHasNoOldPermission resumes a TLS session after the client has lost its permission.
func TestResumedSessionHasNoOldPermission(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.configure(t, s.clientScope(), s.serverScope())
	config := s.as(t, s.network.CA, buyer)
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	if got := askOnce(s.stolen(config)(t)); got != "200" {
		t.Fatalf("before = %s, want 200", got)
	}
	server := s.serverScope()
	server.Inbound[0].Rules.Network = []authz.NetworkRule{{Policy: "shop/thief", Sources: []identity.ServiceAccount{thief}}}
	s.server.Configure(t, server)
	if got := askOnce(s.stolen(config)(t)); got != "closed" {
		t.Errorf("after = %s, want a closed connection", got)
	}
}
