package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/e2e/report"
)

type requestOptions struct {
	count     int
	rate      float64
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
	flags.Float64Var(&options.rate, "rate", 0, "requests a second; 0 means one after the other")
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
	client := &http.Client{
		Timeout: o.timeout,
		Transport: &http.Transport{
			DisableKeepAlives: !o.keepAlive,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // tests look at how a peer answers, whoever it is
		},
	}
	result := &report.Requests{Outcomes: map[string]int{}, Names: map[string]int{}, Peers: map[string]int{}, Errors: map[string]string{}}
	var mu sync.Mutex
	var pending sync.WaitGroup
	start := time.Now()
	for i := 0; (o.count == 0 || i < o.count) && ctx.Err() == nil; i++ {
		if o.rate <= 0 {
			o.one(client, url, result, &mu)
			continue
		}
		turn := start.Add(time.Duration(float64(i) / o.rate * float64(time.Second)))
		select {
		case <-time.After(time.Until(turn)):
		case <-ctx.Done():
			continue
		}
		mu.Lock()
		result.Late = max(result.Late, time.Since(turn))
		mu.Unlock()
		pending.Go(func() { o.one(client, url, result, &mu) })
	}
	pending.Wait()
	return result, nil
}

func (o requestOptions) one(client *http.Client, url string, result *report.Requests, mu *sync.Mutex) {
	outcome, said, err := o.send(client, url)
	mu.Lock()
	defer mu.Unlock()
	result.Requests++
	result.Outcomes[outcome]++
	if said.Name != "" {
		result.Names[said.Name]++
	}
	if host, _, err := net.SplitHostPort(said.Peer); err == nil {
		result.Peers[host]++
	}
	if err != nil {
		result.Errors[outcome] = err.Error()
	}
}

func (o requestOptions) send(client *http.Client, url string) (outcome string, said answer, err error) {
	request, err := http.NewRequest(o.method, url, nil)
	if err != nil {
		return report.Other, said, err
	}
	for _, header := range o.headers {
		key, value, ok := strings.Cut(header, ":")
		if !ok {
			return report.Other, said, fmt.Errorf("header %q has no colon: write 'Name: value'", header)
		}
		if strings.EqualFold(key, "host") {
			request.Host = strings.TrimSpace(value)
		}
		request.Header.Add(key, strings.TrimSpace(value))
	}
	response, err := client.Do(request)
	if err != nil {
		return failure(err), said, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return failure(err), said, err
	}
	_ = json.Unmarshal(body, &said)
	return strconv.Itoa(response.StatusCode), said, nil
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
