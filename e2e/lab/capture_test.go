package lab_test

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// pod is an address of the loopback interface that no other test uses.
var pod = netip.MustParseAddr("127.77.0.9")

// A capture finds a marker that is sent in the clear, and nothing in records of TLS.
func TestCaptureFindsPlaintext(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		// between is true if both sides are pods.
		between, found bool
	}{
		"plaintext":      {content: "GET / with the-marker", between: true, found: true},
		"answer":         {content: "HTTP/1.1 200 OK", between: true, found: true},
		"record of TLS":  {content: "\x17\x03\x03\x00\x15the-marker, encrypted", between: true},
		"not among pods": {content: "GET / with the-marker", found: false},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp4", pod.String()+":0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			c, err := lab.StartCapture(func(a netip.Addr) bool { return test.between && a == pod }, "the-marker")
			if err != nil {
				t.Fatal(err)
			}
			send(t, listener, test.content)
			got, err := c.Stop()
			if err != nil {
				t.Fatal(err)
			}
			if (len(got.Plaintext) > 0) != test.found {
				t.Errorf("captured %+v, want plaintext: %t", got, test.found)
			}
			if (got.Payloads > 0) != test.between {
				t.Errorf("captured %d segments", got.Payloads)
			}
		})
	}
}

// send sends content over a connection, and returns when it was received.
func send(t *testing.T, listener net.Listener, content string) {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: pod.AsSlice()}}
	conn, err := dialer.DialContext(t.Context(), "tcp4", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if _, err := conn.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := server.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(server, make([]byte, len(content))); err != nil {
		t.Fatal(err)
	}
}
