package demo

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
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
