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
	count     int
	rate      float64
	most      int
	duration  time.Duration
	timeout   time.Duration
	method    string
	headers   []string
	keepAlive bool
}

func requestCommand() *cobra.Command {
	var options requestOptions
	cmd := &cobra.Command{
		Use:   "request URL",
		Short: "send HTTP requests and count how they are answered",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			result, err := options.run(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return say(cmd, result)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&options.count, "count", 1, "number of requests; 0 means until --duration is over")
	flags.Float64Var(&options.rate, "rate", 0, "requests a second, less when as many as --most are under way; 0 means one after the other")
	flags.IntVar(&options.most, "most", 1000, "number of requests that are under way at most, with --rate")
	flags.DurationVar(&options.duration, "duration", 0, "stop after this time; 0 means when --count is reached")
	flags.DurationVar(&options.timeout, "timeout", 5*time.Second, "time for one request")
	flags.StringVar(&options.method, "method", http.MethodGet, "method")
	flags.StringArrayVarP(&options.headers, "header", "H", nil, "header, as 'Name: value'")
	flags.BoolVar(&options.keepAlive, "keep-alive", false, "use connections again")
	return cmd
}

func (o requestOptions) run(ctx context.Context, url string) (*report.Requests, error) {
	if o.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}
	// Requests that are under way when ctx ends are watched to their end.
	watching, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	defer unwatch()
	watch := startStallWatch(watching)
	client := &http.Client{
		Timeout: o.timeout,
		Transport: &http.Transport{
			DisableKeepAlives: !o.keepAlive,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // tests look at how a peer answers, whoever it is
		},
	}
	s := &sender{options: o, client: client, url: url, watch: watch, run: strconv.FormatInt(time.Now().UnixNano(), 36)}
	s.result = report.Requests{Outcomes: map[string]int{}, Names: map[string]int{}, Peers: map[string]int{}, Errors: map[string]string{}}
	publish(ctx, func() any { return s.snapshot() })
	if o.rate > 0 {
		s.paced(ctx)
	} else {
		for i := 0; o.more(ctx, i); i++ {
			s.one(i)
		}
	}
	result := s.snapshot()
	return &result, nil
}

// more says whether the request with a number is to be sent.
func (o requestOptions) more(ctx context.Context, number int) bool {
	return (o.count == 0 || number < o.count) && ctx.Err() == nil
}

// failure names the way in which a connection failed.
func failure(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return report.DNS
	case errors.Is(err, syscall.ECONNREFUSED):
		return report.Refused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		// A connection that is closed before the request is written is idle to Go's client, whose error has no type.
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
