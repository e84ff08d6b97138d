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
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// Target is a Prometheus to ask.
type Target struct {
	// Address is the URL that its API is below.
	Address string
	// Roots are certificates (PEM) by which its own is verified; empty takes those of the system.
	Roots []byte
}

// Client asks Prometheuses.
type Client struct {
	transport *http.Transport
}

// timeout is how long an answer may take.
const timeout = 3 * time.Second

// New makes a Client. dial makes its connections; nil makes ordinary ones.
func New(dial func(ctx context.Context, network, address string) (net.Conn, error)) *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if dial != nil {
		transport.DialContext = dial
	}
	return &Client{transport: transport}
}

// ErrNoData is the cause of an answer without a number: Prometheus works, and has nothing of what was asked for.
var ErrNoData = errors.New("it has no data for the query")

// ErrorRate is the share of requests that failed at a moment, from 0 to 1: the answer to the query, which must be one number.
func (c *Client) ErrorRate(ctx context.Context, target Target, query string, at time.Time) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	transport := c.transport
	if len(target.Roots) > 0 {
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(target.Roots) {
			return 0, errors.New("its caBundle holds no certificate in PEM")
		}
		transport = transport.Clone()
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		defer transport.CloseIdleConnections()
	}
	client, err := api.NewClient(api.Config{Address: target.Address, RoundTripper: transport})
	if err != nil {
		return 0, fmt.Errorf("%s is no address of a Prometheus: %w", target.Address, err)
	}
	value, _, err := promv1.NewAPI(client).Query(ctx, query, at)
	if err != nil {
		return 0, told(err)
	}
	return share(value)
}

// told is an error of the API in words that say what is wrong.
func told(err error) error {
	var refusal *promv1.Error
	var way *url.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("it does not answer within %s", timeout)
	case errors.As(err, &refusal) && refusal.Type == promv1.ErrBadData:
		return fmt.Errorf("it refuses the query: %s", refusal.Msg)
	case errors.As(err, &way):
		return fmt.Errorf("it cannot be reached: %w", way.Err)
	}
	return fmt.Errorf("it does not answer as a Prometheus does: %w", err)
}

// share is the one number of an answer.
func share(value model.Value) (float64, error) {
	var number float64
	switch v := value.(type) {
	case model.Vector:
		if len(v) == 0 {
			return 0, ErrNoData
		}
		if len(v) > 1 {
			return 0, fmt.Errorf("the query has %d answers where one number is wanted: sum them up", len(v))
		}
		number = float64(v[0].Value)
	case *model.Scalar:
		number = float64(v.Value)
	default:
		return 0, fmt.Errorf("the query has a %s as its answer where one number is wanted", value.Type())
	}
	switch {
	case math.IsNaN(number):
		return 0, fmt.Errorf("%w: the answer is NaN, as of a division by no requests", ErrNoData)
	case number < 0 || number > 1:
		return 0, fmt.Errorf("the answer %g is no share of requests that fail: the query must yield a number from 0 to 1", number)
	}
	return number, nil
}
