package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
)

// gracePeriod is how long the server keeps serving after SIGTERM, for clients that still use its endpoint.
const gracePeriod = 5 * time.Second

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
		Short: "serve HTTP, a TCP echo, a TCP echo that sends a greeting first, and an agent",
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
	server := &http.Server{Addr: where.http, Handler: handler(name, health), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		time.Sleep(gracePeriod)
		_ = server.Shutdown(context.Background())
	}()
	go func() { failed <- server.ListenAndServe() }()
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func handler(name string, health *health) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", describe(name))
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
