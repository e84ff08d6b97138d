package prometheus

import (
	"context"
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

// Client asks a Prometheus.
type Client struct {
	transport http.RoundTripper
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
func (c *Client) ErrorRate(ctx context.Context, address, query string, at time.Time) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client, err := api.NewClient(api.Config{Address: address, RoundTripper: c.transport})
	if err != nil {
		return 0, fmt.Errorf("%s is no address of a Prometheus: %w", address, err)
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
