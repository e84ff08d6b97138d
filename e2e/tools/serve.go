package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/websocket"

	"github.com/openservicemesh/osm-operator/e2e/report"
)

// response is the HTTP server's description of a request.
type response struct {
	Name    string              `json:"name"`
	Method  string              `json:"method"`
	Path    string              `json:"path"`
	Host    string              `json:"host"`
	Peer    string              `json:"peer"`
	Headers map[string][]string `json:"headers"`
	// text is the response body.
	text string
}

// health determines the response of /health.
type health struct{ failing atomic.Bool }

// addresses are the listen addresses of the servers; an empty one disables the server.
type addresses struct{ http, echo, greet, agent string }

func serveCommand() *cobra.Command {
	var where addresses
	var name string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "serve HTTP with echoes over WebSockets and gRPC, a TCP echo, a TCP echo that sends a greeting first, and an agent",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if name == "" {
				name, _ = os.Hostname()
			}
			return serve(cmd.Context(), name, where)
		},
	}
	cmd.Flags().StringVar(&where.http, "http", ":8080", "address of the HTTP server")
	cmd.Flags().StringVar(&where.echo, "echo", "", "address of the TCP echo server")
	cmd.Flags().StringVar(&where.greet, "greet", "", "address of the TCP echo server that sends a greeting first")
	cmd.Flags().StringVar(&where.agent, "agent", "", "address of the agent")
	cmd.Flags().StringVar(&name, "name", "", "name in responses (default: the host name)")
	return cmd
}

func serve(ctx context.Context, name string, where addresses) error {
	for greeting, address := range map[string]string{"": where.echo, "hello from " + name + "\n": where.greet} {
		if address == "" {
			continue
		}
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		go acceptAll(listener, greeting)
	}
	health := &health{}
	failed := make(chan error, 2)
	if where.agent != "" {
		go func() { failed <- newAgent(health).listen(where.agent) }()
	}
	server := newServer(where.http, name, health)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		<-ctx.Done()
		_ = server.Shutdown(context.Background())
	}()
	go func() { failed <- server.ListenAndServe() }()
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-answered // the listener is closed at once, and requests in progress get their responses
	return nil
}

// newServer returns the HTTP server. It serves HTTP/2 without TLS too.
func newServer(address, name string, health *health) *http.Server {
	server := &http.Server{Addr: address, Handler: withStreams(handler(name, health)), ReadHeaderTimeout: 10 * time.Second, Protocols: &http.Protocols{}}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	return server
}

func handler(name string, health *health) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", describe(name))
	mux.Handle(webSocketPath, websocket.Handler(func(conn *websocket.Conn) { echo(conn, "") }))
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		if health.failing.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	return mux
}

func describe(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(response{
			Name: name, Method: r.Method, Path: r.URL.Path, Host: r.Host, Peer: r.RemoteAddr, Headers: r.Header,
		})
	}
}

func acceptAll(listener net.Listener, greeting string) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go echo(conn, greeting)
	}
}

func echo(conn net.Conn, greeting string) {
	defer conn.Close()
	if _, err := fmt.Fprint(conn, greeting); err != nil {
		return
	}
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if _, err := fmt.Fprintln(conn, strings.TrimSpace(lines.Text())); err != nil {
			return
		}
	}
}

type requestOptions struct {
	count       int
	rate        float64
	maxInFlight int
	duration    time.Duration
	timeout     time.Duration
	method      string
	headers     []string
	keepAlive   bool
	connections int
	pause       time.Duration
	keep        time.Duration
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
	flags.IntVar(&options.connections, "connections", 0, "hold so many connections with one request at a time each, and --pause between them; 0 means no fixed number")
	flags.DurationVar(&options.pause, "pause", time.Minute, "the longest pause of a connection between requests, with --connections")
	flags.DurationVar(&options.keep, "keep", 0, "connections that were idle for longer are closed, with --connections; 0 means never")
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
	s := &sender{options: o, client: o.client(), url: url, watch: watch, idPrefix: strconv.FormatInt(time.Now().UnixNano(), 36)}
	s.result = report.Requests{
		Outcomes: map[string]int{}, Names: map[string]int{}, Peers: map[string]int{},
		Clients: map[string]int{}, Errors: map[string]string{},
	}
	publish(ctx, func() any { return s.snapshot() })
	switch {
	case o.connections > 0:
		s.holdConnections(ctx)
	case o.rate > 0:
		s.sendAtRate(ctx)
	default:
		for i := 0; o.hasNext(ctx, i); i++ {
			s.sendOne(s.client, i)
		}
	}
	result := s.snapshot()
	return &result, nil
}

// client returns a client with a pool of its own.
func (o requestOptions) client() *http.Client {
	return &http.Client{
		Timeout: o.timeout,
		Transport: &http.Transport{
			DisableKeepAlives: !o.keepAlive, IdleConnTimeout: o.keep,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		},
	}
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
