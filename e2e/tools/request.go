package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/e2e/report"
)

type requestOptions struct {
	count       int
	rate        float64
	maxInFlight int
	duration    time.Duration
	timeout     time.Duration
	method      string
	headers     []string
	keepAlive   bool
}

func requestCommand() *cobra.Command {
	var options requestOptions
	cmd := &cobra.Command{
		Use:   "request URL",
		Short: "send HTTP requests and count the responses",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			result, err := options.run(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return printReport(cmd, result)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&options.count, "count", 1, "number of requests; 0 means until --duration has passed")
	flags.Float64Var(&options.rate, "rate", 0, "requests per second, fewer if --most are in flight; 0 means one at a time")
	flags.IntVar(&options.maxInFlight, "most", 1000, "maximum number of requests in flight, with --rate")
	flags.DurationVar(&options.duration, "duration", 0, "stop after this time; 0 means no limit")
	flags.DurationVar(&options.timeout, "timeout", 5*time.Second, "timeout of one request")
	flags.StringVar(&options.method, "method", http.MethodGet, "method")
	flags.StringArrayVarP(&options.headers, "header", "H", nil, "header, as 'Name: value'")
	flags.BoolVar(&options.keepAlive, "keep-alive", false, "reuse connections")
	return cmd
}

func (o requestOptions) run(ctx context.Context, url string) (*report.Requests, error) {
	if o.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}
	// Requests in flight when ctx ends are still observed until they complete.
	watchContext, stopWatch := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatch()
	watch := startStallWatch(watchContext)
	client := &http.Client{
		Timeout: o.timeout,
		Transport: &http.Transport{
			DisableKeepAlives: !o.keepAlive,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // tests check the response, not the certificate
		},
	}
	s := &sender{options: o, client: client, url: url, watch: watch, idPrefix: strconv.FormatInt(time.Now().UnixNano(), 36)}
	s.result = report.Requests{Outcomes: map[string]int{}, Names: map[string]int{}, Peers: map[string]int{}, Errors: map[string]string{}}
	publish(ctx, func() any { return s.snapshot() })
	if o.rate > 0 {
		s.sendAtRate(ctx)
	} else {
		for i := 0; o.hasNext(ctx, i); i++ {
			s.sendOne(i)
		}
	}
	result := s.snapshot()
	return &result, nil
}

// hasNext reports whether to send the request with the given number.
func (o requestOptions) hasNext(ctx context.Context, number int) bool {
	return (o.count == 0 || number < o.count) && ctx.Err() == nil
}

// outcomeOf returns the outcome for an error of the HTTP client.
func outcomeOf(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return report.DNS
	case errors.Is(err, syscall.ECONNREFUSED):
		return report.Refused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		// If the connection is closed before the request is written, Go's client returns an untyped error about an idle
		// connection.
		strings.Contains(err.Error(), "server closed idle connection"):
		return report.Reset
	case errors.As(err, &timeout) && timeout.Timeout():
		return report.Timeout
	case strings.Contains(err.Error(), "tls:"):
		return report.TLS
	default:
		return report.Other
	}
}
