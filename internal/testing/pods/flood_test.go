package pods_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/flags"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// TestUnfinishedHandshakesAreBounded holds connections of a client without a certificate: as many as the server's sidecar accepts,
// and some more.
func TestUnfinishedHandshakesAreBounded(t *testing.T) {
	t.Parallel()
	const limit = 8
	n := pods.NewNetwork(t)
	config := n.Bootstrap("server")
	config.GetLayeredRuntime().GetLayers()[0].GetStaticLayer().GetFields()[flags.InboundConnectionsKey] = structpb.NewNumberValue(limit)
	s := &shop{network: n, client: n.Pod(t, "client"), server: n.PodFrom(t, "server", config), stranger: n.Bare(t)}
	s.server.ServeHTTP(t, 8080, http.HandlerFunc(describe))
	s.configure(t, s.clientScope(), s.serverScope())
	hello := clientHello(t)
	held := 0
	for range limit + 5 {
		conn, err := s.stranger.Dial(t, s.server.IP.String()+":8080")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(hello)
		if receives(t, conn) {
			held++
		}
	}
	if held == 0 || held > limit {
		t.Errorf("%d unfinished handshakes are held, want 1 to %d", held, limit)
	}
	eventually.True(t, 30*time.Second, "unfinished handshakes end, and clients are served again", func() bool {
		answer, err := s.client.NS.HTTP().Get("http://" + webIP.String() + "/books/1")
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// receives reports whether the server continues the handshake, rather than closing the connection.
func receives(t *testing.T, conn net.Conn) bool {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, err := conn.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the server neither continues nor closes the connection")
	}
	return n > 0
}

// clientHello returns the first message of a handshake with the Service web.
func clientHello(t *testing.T) []byte {
	t.Helper()
	recorded := &recorder{}
	config := &tls.Config{ServerName: "web.shop.svc.cluster.local", NextProtos: []string{"osm"}, InsecureSkipVerify: true}
	if err := tls.Client(recorded, config).Handshake(); err == nil || recorded.Len() == 0 {
		t.Fatalf("recording a handshake: %v", err)
	}
	return recorded.Bytes()
}

// recorder records what is written, and answers nothing.
type recorder struct {
	net.Conn
	bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error)      { return r.Buffer.Write(p) }
func (r *recorder) Read([]byte) (int, error)         { return 0, io.EOF }
func (r *recorder) Close() error                     { return nil }
func (r *recorder) SetDeadline(time.Time) error      { return nil }
func (r *recorder) SetReadDeadline(time.Time) error  { return nil }
func (r *recorder) SetWriteDeadline(time.Time) error { return nil }
