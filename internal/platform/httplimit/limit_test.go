package httplimit

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

const timeout = 30 * time.Second

// attackers are addresses of pods without credentials, honest is another client.
var attackers = []string{"127.0.0.2", "127.0.0.3", "127.0.0.4"}

const honest = "127.0.0.9"

func testLimits() Limits {
	return Limits{
		Connections: 12, ConnectionsPerAddress: 6, Requests: 4, RequestsPerAddress: 1,
		Body: 1 << 20, SmallBody: 1 << 10, LargeBodies: 2,
	}
}

// server is a limited server. Requests to /block wait until unblock is closed.
type server struct {
	address         string
	unblock         chan struct{}
	blocked, closed atomic.Int64
}

func start(t *testing.T, limits Limits) *server {
	t.Helper()
	s := &server{unblock: make(chan struct{})}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/block" {
			s.blocked.Add(1)
			<-s.unblock
			s.blocked.Add(-1)
		}
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	web := &http.Server{Handler: handler}
	limited := Profile{Limits: limits, HeaderTimeout: timeout, ReadTimeout: timeout}.Apply(web, listener, func() { s.closed.Add(1) })
	go func() { _ = web.Serve(limited) }()
	t.Cleanup(func() { _ = web.Close() })
	return s
}

// dial connects from an address of the loopback network.
func (s *server) dial(t *testing.T, from string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: timeout}
	conn, err := dialer.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// post sends a request over a new connection from an address, and returns the status code and the body.
func (s *server) post(t *testing.T, from, path string, size int) (int, string, error) {
	t.Helper()
	client := &http.Client{Timeout: timeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
			return dialer.Dial("tcp", s.address)
		},
	}}
	response, err := client.Post("http://"+s.address+path, "text/plain", bytes.NewReader(make([]byte, size)))
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// expectAnswer fails unless an honest client gets an answer.
func (s *server) expectAnswer(t *testing.T, size int) {
	t.Helper()
	code, body, err := s.post(t, honest, "/", size)
	if err != nil || code != http.StatusOK || body != fmt.Sprint(size) {
		t.Errorf("the response to %d bytes is %d %q, %v, want 200 with the number of bytes", size, code, body, err)
	}
}

// TestSlowClientsLockNobodyOut fills the connections with clients that send nothing, a part of the header or a part
// of the body.
func TestSlowClientsLockNobodyOut(t *testing.T) {
	for name, sent := range map[string]string{
		"nothing":            "",
		"a part of a header": "POST / HTTP/1.1\r\nHost: a\r\nContent-",
		"a part of a body":   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx",
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, testLimits())
			for _, address := range attackers {
				for range 3 * testLimits().ConnectionsPerAddress {
					_, _ = io.WriteString(s.dial(t, address), sent)
				}
			}
			eventually.True(t, timeout, "connections above the limit are closed", func() bool { return s.closed.Load() > 0 })
			for range 20 {
				s.expectAnswer(t, 10)
			}
		})
	}
}

// TestRequestsOfAnAddressWaitForEachOther blocks as many requests as possible from some addresses.
func TestRequestsOfAnAddressWaitForEachOther(t *testing.T) {
	s := start(t, testLimits())
	for _, address := range attackers {
		for range 3 {
			_, _ = io.WriteString(s.dial(t, address), "POST /block HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
		}
	}
	eventually.True(t, timeout, "one request of each address is handled", func() bool { return s.blocked.Load() == int64(len(attackers)) })
	s.expectAnswer(t, 10)
	if blocked := s.blocked.Load(); blocked != int64(len(attackers)) {
		t.Errorf("%d requests are handled, want one for each of %d addresses", blocked, len(attackers))
	}
	close(s.unblock)
}

func TestBodies(t *testing.T) {
	s := start(t, testLimits())
	for _, size := range []int{0, 1, 1<<10 - 1, 1 << 10, 1<<10 + 1, 1 << 20} {
		s.expectAnswer(t, size)
	}
	// The length is sufficient for the answer. A client that sends the body meets a closed connection, perhaps before it has read the answer.
	large := s.dial(t, honest)
	_, _ = io.WriteString(large, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(large), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(body), "larger than 1048576 bytes") {
		t.Errorf("the response to a body above the limit is %s %q, %v, want 413", response.Status, body, err)
	}
	chunked := s.dial(t, honest)
	_, _ = io.WriteString(chunked, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	go func() { _, _ = fmt.Fprintf(chunked, "%x\r\n%s", 2<<20, make([]byte, 2<<20)) }()
	answer := make([]byte, 12)
	if _, err := io.ReadFull(chunked, answer); err != nil || string(answer) != "HTTP/1.1 413" {
		t.Errorf("the response to chunks above the limit is %q, %v, want 413", answer, err)
	}
}

// TestLargeBodiesShareMemory holds all places of large bodies. Usual requests do not need one.
func TestLargeBodiesShareMemory(t *testing.T) {
	s := start(t, testLimits())
	for _, address := range attackers {
		for range testLimits().LargeBodies {
			_, _ = fmt.Fprintf(s.dial(t, address), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n%s", make([]byte, 4000))
		}
	}
	s.expectAnswer(t, 1000)
}
