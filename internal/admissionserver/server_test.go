package admissionserver

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

const timeout = 30 * time.Second

// TestAuditS5SilentConnectionsLockNoAPIServerOut opens more connections than allowed, from several pods without credentials.
func TestAuditS5SilentConnectionsLockNoAPIServerOut(t *testing.T) {
	address, client, closed := start(t)
	for _, pod := range []string{"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"} {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(pod)}}
		for range limits(1).ConnectionsPerAddress + 10 {
			conn, err := dialer.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
		}
	}
	eventually.True(t, timeout, "connections above the limit are closed", func() bool { return closed.Load() > 0 })
	for range 10 {
		response, err := client.Get("https://" + address)
		if err != nil {
			t.Fatalf("a review is not answered: %v", err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if string(body) != "reviewed" {
			t.Errorf("the response is %q", body)
		}
	}
}

// start starts a server and returns its address, a client with new connections for each request, and how many connections the
// server has closed.
func start(t *testing.T) (string, *http.Client, *atomic.Int64) {
	t.Helper()
	authority := pki.New(t)
	chain, key := authority.Issue(t, meshtest.SA("control", "webhook"), "cluster.local")
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	closed, ended := &atomic.Int64{}, make(chan error, 1)
	go func() {
		ended <- Serve(ctx, Config{
			Listener: listener, Requests: 4, OnClosed: func() { closed.Add(1) },
			Handler:     http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "reviewed") }),
			Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil },
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	client := &http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	return listener.Addr().String(), client, closed
}
