package demo

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Visit is one request to another program of the demo and what became of it.
type Visit struct {
	// Path is the path asked for.
	Path string
	// Outcome is as Outcome returns it.
	Outcome string
	// Identity is the header Identity of the response; empty where there was none.
	Identity string
}

// Visitor sends requests in the name of one program to one server.
type Visitor struct {
	app    string
	base   string
	client *http.Client
}

// NewVisitor returns a visitor for the program app of the server at base, such as "http://bookstore.bookstore:14001".
func NewVisitor(app, base string, client *http.Client) *Visitor {
	return &Visitor{app: app, base: base, client: client}
}

// Get sends a GET request for path and waits for the whole response.
func (v *Visitor) Get(ctx context.Context, path string) Visit {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.base+path, nil)
	if err != nil {
		return Visit{Path: path, Outcome: Failed}
	}
	return v.send(req, path)
}

// Restock asks a bookwarehouse for n books in the name of a bookstore.
func (v *Visitor) Restock(ctx context.Context, identity string, n int) Visit {
	body := strings.NewReader(strconv.Itoa(n))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.base+PathRestock, body)
	if err != nil {
		return Visit{Path: PathRestock, Outcome: Failed}
	}
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
	// A response that is cut in its middle is a failure too, whatever its status says.
	_, err = io.Copy(io.Discard, resp.Body)
	return Visit{Path: path, Outcome: Outcome(resp.StatusCode, err), Identity: resp.Header.Get(HeaderIdentity)}
}

// Client returns an HTTP client for calls between programs. With keepAlive it reuses connections; without, every
// request opens one of its own. The timeout is for the whole of a request.
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
