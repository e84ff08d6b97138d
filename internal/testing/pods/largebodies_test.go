package pods_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// TestBodiesAreRepeated sends requests with bodies to two pods, one of which has no application any more. They are the largest that
// sidecars repeat.
func TestBodiesAreRepeated(t *testing.T) {
	t.Parallel()
	n := pods.NewNetwork(t)
	s := &shop{network: n, client: n.Pod(t, "client"), server: n.Pod(t, "server")}
	s.server.ServeHTTP(t, 8081, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, size)
	}))
	s.server.Configure(t, s.serverScope())
	stopped := n.Pod(t, "stopped")
	stopped.Configure(t, s.serverScope())
	client := leafClient(s)
	both := endpointsAt(client, stopped.IP)
	both[0].Addresses = append(both[0].Addresses, netip.AddrPortFrom(s.server.IP, 8081))
	s.client.Configure(t, client, both...)
	s.post(t, "HTTP1", 1<<20)
	s.post(t, "HTTP2", 1<<20)
}

// post sends bodies of a size, each of which must reach the application.
func (s *shop) post(t *testing.T, version string, size int) {
	t.Helper()
	transport := &http.Transport{DialContext: s.client.NS.Dial, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(version == "HTTP1")
	transport.Protocols.SetUnencryptedHTTP2(version == "HTTP2")
	for i := range 10 {
		answer, err := (&http.Client{Transport: transport}).Post("http://10.96.0.9/", "", bytes.NewReader(make([]byte, size)))
		if err != nil {
			t.Fatalf("request %d with %d bytes over %s: %v", i, size, version, err)
		}
		got, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK || string(got) != fmt.Sprint(size) {
			t.Errorf("request %d with %d bytes over %s: %d %s", i, size, version, answer.StatusCode, got)
		}
	}
	transport.CloseIdleConnections()
}
