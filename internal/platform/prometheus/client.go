package prometheus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// Target is a Prometheus server.
type Target struct {
	// Address is the base URL of its API.
	Address string
	// Roots are the CA certificates (PEM) of the server. If empty, the system's certificates are used.
	Roots []byte
	// Token is a bearer token, or empty. It is sent to https addresses only.
	Token string
}

// Client queries Prometheus servers.
type Client struct {
	transport *http.Transport
}

// timeout bounds a query.
const timeout = 3 * time.Second

// New returns a Client. dial opens its connections; nil uses the default dialer.
func New(dial func(ctx context.Context, network, address string) (net.Conn, error)) *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if dial != nil {
		transport.DialContext = dial
	}
	return &Client{transport: transport}
}

// ErrNoData means that the query succeeded without a result.
var ErrNoData = errors.New("it has no data for the query")

// ErrorRate returns the ratio of failed requests at a point in time, from 0 to 1. The query must return a single number.
func (c *Client) ErrorRate(ctx context.Context, target Target, query string, at time.Time) (float64, error) {
	value, err := c.query(ctx, target, query, at)
	if err != nil {
		return 0, err
	}
	return share(value)
}

// Vector returns the series of a query at a point in time.
func (c *Client) Vector(ctx context.Context, target Target, query string, at time.Time) (model.Vector, error) {
	value, err := c.query(ctx, target, query, at)
	if err != nil {
		return nil, err
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("the query returned a %s: it must return series", value.Type())
	}
	return vector, nil
}

func (c *Client) query(ctx context.Context, target Target, query string, at time.Time) (model.Value, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	transport := c.transport
	if len(target.Roots) > 0 {
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(target.Roots) {
			return nil, errors.New("its caBundle contains no PEM certificate")
		}
		transport = transport.Clone()
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		defer transport.CloseIdleConnections()
	}
	client, err := api.NewClient(api.Config{Address: target.Address, RoundTripper: authorized{transport, target.Token}})
	if err != nil {
		return nil, fmt.Errorf("invalid Prometheus address %s: %w", target.Address, err)
	}
	value, _, err := promv1.NewAPI(client).Query(ctx, query, at)
	if err != nil {
		return nil, userError(err)
	}
	return value, nil
}

// authorized sends a bearer token with https requests.
type authorized struct {
	next  http.RoundTripper
	token string
}

// RoundTrip implements http.RoundTripper.
func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.token != "" && r.URL.Scheme == "https" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	return a.next.RoundTrip(r)
}

// userError converts an API error into a message for users.
func userError(err error) error {
	var apiError *promv1.Error
	var urlError *url.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no response within %s", timeout)
	case errors.As(err, &apiError) && apiError.Type == promv1.ErrBadData:
		return fmt.Errorf("invalid query: %s", apiError.Msg)
	case errors.As(err, &urlError):
		return fmt.Errorf("connection failed: %w", urlError.Err)
	}
	return fmt.Errorf("unexpected response: %w", err)
}

// share extracts the single number from a query result.
func share(value model.Value) (float64, error) {
	var number float64
	switch v := value.(type) {
	case model.Vector:
		if len(v) == 0 {
			return 0, ErrNoData
		}
		if len(v) > 1 {
			return 0, fmt.Errorf("the query returned %d results: it must return one, for example with sum()", len(v))
		}
		number = float64(v[0].Value)
	case *model.Scalar:
		number = float64(v.Value)
	default:
		return 0, fmt.Errorf("the query returned a %s: it must return a single number", value.Type())
	}
	switch {
	case math.IsNaN(number):
		return 0, fmt.Errorf("%w: the result is NaN, such as from a division by zero", ErrNoData)
	case number < 0 || number > 1:
		return 0, fmt.Errorf("the result %g is out of range: the query must return a number from 0 to 1", number)
	}
	return number, nil
}

// window is the range of the query. It must contain two scrapes.
const window = "2m"

// Query returns a query for the ratio of failed requests between workloads, from the metrics of sidecars in the given namespaces.
//
// It uses the metrics of client sidecars, which include requests that never arrived. As in load reports, a status of 500 and above is a
// failure, and so are the failures of gRPC, which Envoy's own counters take for successes: the larger of both ratios counts. Without requests,
// the ratio is 0 if at least one sidecar is scraped. Without scraped sidecars, or with a single scrape, there
// is no result. Without namespaces, the query only checks that Prometheus responds.
func Query(namespaces []string) string {
	if len(namespaces) == 0 {
		return "vector(0)"
	}
	// Namespace names contain no special characters of regular expressions.
	upstream := fmt.Sprintf(`envoy_cluster_name=~"(%s)/.+[|][0-9]+([|]h2)?"`, strings.Join(slices.Sorted(slices.Values(namespaces)), "|"))
	all := fmt.Sprintf(`envoy_cluster_upstream_rq_xx{%s}`, upstream)
	failed := fmt.Sprintf(`envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",%s}`, upstream)
	idle := fmt.Sprintf(`(0 * count(envoy_server_live) unless sum(%s))`, all)
	responses := fmt.Sprintf(`(sum(rate(%s[%s])) or vector(0)) / clamp_min(sum(rate(%s[%s])) or %s, 1e-9)`, failed, window, all, window, idle)
	return fmt.Sprintf(`max(label_replace(%s, "of", "responses", "", "") or label_replace(%s, "of", "requests", "", ""))`, responses, failedRequests(namespaces))
}

// failedRequests is the ratio of failed requests to workloads in the given namespaces, by the metrics with labels. There is none without requests. A
// Prometheus that does not rename metrics has them with the prefix of Envoy.
func failedRequests(namespaces []string) string {
	rate := func(matchers string) string {
		return fmt.Sprintf(`rate({__name__=~"(envoy_)?osm_request_total",destination_namespace=~"%s",destination_service!=""%s}[%s])`, strings.Join(slices.Sorted(slices.Values(namespaces)), "|"), matchers, window)
	}
	failed := Failed(func(matchers string) string { return rate("," + matchers) })
	return fmt.Sprintf(`(sum(%s) / (sum(%s) > 0))`, failed, rate(""))
}
