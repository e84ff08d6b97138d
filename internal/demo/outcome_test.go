package demo

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// address returns a loopback address whose connections are passed to behave; nil means that the address is closed.
func address(t *testing.T, behave func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if behave == nil {
		l.Close()
		return l.Addr().String()
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			behave(c)
		}
	}()
	return l.Addr().String()
}

func TestOutcome_DistinguishesDenials(t *testing.T) {
	held := make(chan net.Conn, 1)
	status := func(code int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	cases := map[string]struct {
		addr string
		want string
	}{
		"allowed":                         {status(200), "200"},
		"granted to another client":       {status(403), "403"},
		"granted to no client":            {status(404), "404"},
		"port closed":                     {address(t, nil), Refused},
		"closed without a response":       {address(t, func(c net.Conn) { c.Close() }), Reset},
		"reset by a TCP RST":              {address(t, func(c net.Conn) { c.(*net.TCPConn).SetLinger(0); c.Close() }), Reset},
		"response cut in its middle":      {address(t, cutResponse), Reset},
		"no response in time":             {address(t, func(c net.Conn) { held <- c }), Timeout},
		"a response that is not HTTP/1.1": {address(t, func(c net.Conn) { c.Write([]byte("220 hello\r\n")); c.Close() }), Failed},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := Client(true, 300*time.Millisecond)
			got := NewVisitor("bookbuyer", "http://"+c.addr, client).Get(context.Background(), PathBuyBook)
			if got.Outcome != c.want {
				t.Errorf("outcome is %q, want %q", got.Outcome, c.want)
			}
		})
	}
	(<-held).Close()
}

// cutResponse announces ten bytes and closes after one.
func cutResponse(c net.Conn) {
	c.Read(make([]byte, 1024))
	c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"))
	c.Close()
}

func TestOutcome_ReportsUnknownHosts(t *testing.T) {
	err := &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "bookstore", IsNotFound: true}}
	if got := Outcome(0, err); got != NoSuchHost {
		t.Errorf("outcome is %q, want %q", got, NoSuchHost)
	}
}

func TestVisitor_SendsHeadersThatPoliciesMatch(t *testing.T) {
	var got http.Header
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone() }))
	defer s.Close()
	NewVisitor("bookbuyer", s.URL, Client(false, time.Second)).Get(context.Background(), PathBooksBought)
	if got.Get("user-agent") != "Go-http-client/1.1" || got.Get("client-app") != "bookbuyer" {
		t.Errorf("headers are %v, want the user-agent and client-app of the demo's policies", got)
	}
}
