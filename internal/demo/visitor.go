package demo

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Visit is one request to another program of the demo and its outcome.
type Visit struct {
	// Path is the requested path.
	Path string
	// Outcome is a return value of the function Outcome.
	Outcome string
	// Identity is the header Identity of the response, if any.
	Identity string
}

// Visitor sends requests of one program to one server.
type Visitor struct {
	app    string
	base   string
	client *http.Client
}

// NewVisitor returns a visitor of the program app for the server at base, such as "http://bookstore.bookstore:14001".
func NewVisitor(app, base string, client *http.Client) *Visitor {
	return &Visitor{app: app, base: base, client: client}
}

// Get sends a GET request and reads the whole response.
func (v *Visitor) Get(ctx context.Context, path string) Visit {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.base+path, nil)
	if err != nil {
		return Visit{Path: path, Outcome: Failed}
	}
	return v.send(req, path)
}

// Restock requests n books from the bookwarehouse for the given bookstore. The request has the headers of a trace.
func (v *Visitor) Restock(ctx context.Context, identity string, n int, trace http.Header) Visit {
	body := strings.NewReader(strconv.Itoa(n))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.base+PathRestock, body)
	if err != nil {
		return Visit{Path: PathRestock, Outcome: Failed}
	}
	maps.Copy(req.Header, trace)
	req.Header.Set(HeaderIdentity, identity)
	return v.send(req, PathRestock)
}

func (v *Visitor) send(req *http.Request, path string) Visit {
	req.Header.Set(HeaderUserAgent, userAgent)
	req.Header.Set(HeaderClientApp, v.app)
	resp, err := v.client.Do(req)
	if err != nil {
		return Visit{Path: path, Outcome: Outcome(0, err)}
	}
	defer resp.Body.Close()
	// A truncated response is a failure regardless of its status code.
	_, err = io.Copy(io.Discard, resp.Body)
	return Visit{Path: path, Outcome: Outcome(resp.StatusCode, err), Identity: resp.Header.Get(HeaderIdentity)}
}

// Client returns an HTTP client for calls between programs. With keepAlive it reuses connections; otherwise each request
// opens a new one. The timeout applies to the whole request.
func Client(keepAlive bool, timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: timeout}).DialContext,
			DisableKeepAlives:   !keepAlive,
			MaxIdleConnsPerHost: 10,
			IdleConnTimeout:     time.Minute,
		},
	}
}

// Failures without a status code. A mesh denies requests in several ways, which the demo distinguishes.
const (
	// Refused means that the connection was refused, for example because nothing listens.
	Refused = "refused"
	// Reset means that the connection was cut before a response. A sidecar does this if it may not reach the service.
	Reset = "reset"
	// Timeout means that there was no response in time.
	Timeout = "timeout"
	// NoSuchHost means that the name does not resolve.
	NoSuchHost = "no-such-host"
	// Failed is any other failure.
	Failed = "failed"
)

// Outcome returns the status code of a request, such as "200" or "403", or the kind of its failure.
func Outcome(status int, err error) string {
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
		return strconv.Itoa(status)
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case isCut(err):
		return Reset
	case errors.As(err, &dns) && dns.IsNotFound:
		return NoSuchHost
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Timeout
	default:
		return Failed
	}
}

// closedIdle is the text of an unexported error of net/http: the server closed the connection before the request was written.
const closedIdle = "http: server closed idle connection"

// isCut reports whether an established connection ended too early.
func isCut(err error) bool {
	for _, e := range []error{syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, e) {
			return true
		}
	}
	return strings.HasSuffix(err.Error(), closedIdle)
}

// traceHeaders are the headers of a trace, of W3C and of B3. A program copies them from a request to those that it makes in turn.
var traceHeaders = []string{
	"Traceparent", "Tracestate", "B3", "X-B3-Traceid", "X-B3-Spanid", "X-B3-Parentspanid", "X-B3-Sampled", "X-B3-Flags", "X-Request-Id",
}

// traceOf returns the headers of the trace that a request belongs to.
func traceOf(request http.Header) http.Header {
	trace := http.Header{}
	for _, name := range traceHeaders {
		if values := request.Values(name); len(values) > 0 {
			trace[name] = values
		}
	}
	return trace
}
