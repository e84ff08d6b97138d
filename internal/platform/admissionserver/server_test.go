package admissionserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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

// TestSilentConnectionsLockNoAPIServerOut opens more connections than allowed, from several pods without credentials.
func TestSilentConnectionsLockNoAPIServerOut(t *testing.T) {
	address, client, closed := start(t)
	for _, pod := range []string{"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"} {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(pod)}}
		for range Profile(1).ConnectionsPerAddress + 10 {
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

// TestOnlyKnownClientsConnect sends reviews without a client certificate, with one of another authority, and with one of
// the configured authority.
func TestOnlyKnownClientsConnect(t *testing.T) {
	known, unknown := pki.New(t), pki.New(t)
	pool, err := ParseClientCAs(string(known.RootPEM))
	if err != nil {
		t.Fatal(err)
	}
	address, client, _ := startWith(t, pool)
	for name, test := range map[string]struct {
		authority *pki.Authority
		accepted  bool
	}{
		"no certificate":    {nil, false},
		"another authority": {unknown, false},
		"known authority":   {known, true},
	} {
		t.Run(name, func(t *testing.T) {
			settings := client.Transport.(*http.Transport).Clone()
			if test.authority != nil {
				chain, key := test.authority.Issue(t, meshtest.SA("kube-system", "apiserver"), "cluster.local")
				pair, err := tls.X509KeyPair(chain, key)
				if err != nil {
					t.Fatal(err)
				}
				settings.TLSClientConfig.Certificates = []tls.Certificate{pair}
			}
			response, err := (&http.Client{Timeout: timeout, Transport: settings}).Get("https://" + address)
			if (err == nil) != test.accepted {
				t.Errorf("the error is %v, accepted should be %t", err, test.accepted)
			}
			if err == nil {
				response.Body.Close()
			}
		})
	}
}

func TestParseClientCAs(t *testing.T) {
	authority := string(pki.New(t).RootPEM)
	for name, test := range map[string]struct {
		text    string
		any, ok bool
	}{
		"none":                 {"", true, true},
		"one":                  {authority, false, true},
		"two":                  {authority + string(pki.New(t).RootPEM), false, true},
		"text":                 {"authority", false, false},
		"text after one":       {authority + "authority", false, false},
		"no certificate in it": {"-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			pool, err := ParseClientCAs(test.text)
			if (err == nil) != test.ok || test.ok && (pool == nil) != test.any {
				t.Errorf("ParseClientCAs returned %v, %v", pool, err)
			}
		})
	}
}

// start starts a server and returns its address, a client with new connections for each request, and how many connections the
// server has closed.
func start(t *testing.T) (string, *http.Client, *atomic.Int64) {
	t.Helper()
	return startWith(t, nil)
}

// startWith is start with authorities for clients.
func startWith(t *testing.T, clientCAs *x509.CertPool) (string, *http.Client, *atomic.Int64) {
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
			Listener: listener, Requests: 4, ClientCAs: clientCAs, OnClosed: func() { closed.Add(1) },
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
