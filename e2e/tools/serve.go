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

// grace is how long the server goes on after it was told to stop, so that clients that have not heard of it yet are served.
const grace = 5 * time.Second

// answer is what the HTTP server says about a request.
type answer struct {
	Name    string              `json:"name"`
	Method  string              `json:"method"`
	Path    string              `json:"path"`
	Host    string              `json:"host"`
	Peer    string              `json:"peer"`
	Headers map[string][]string `json:"headers"`
	// text is the whole answer as it came.
	text string
}

// health is what /health answers.
type health struct{ failing atomic.Bool }

// addresses are where a server listens; empty ones are off.
type addresses struct{ http, echo, greet, agent string }

func serveCommand() *cobra.Command {
	var where addresses
	var name string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "answer over HTTP, echo over TCP, greet over TCP as servers that speak first do, and take orders as an agent",
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
	cmd.Flags().StringVar(&where.greet, "greet", "", "address of the TCP server that speaks first")
	cmd.Flags().StringVar(&where.agent, "agent", "", "address of the agent")
	cmd.Flags().StringVar(&name, "name", "", "name in answers (default: the host's name)")
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
		time.Sleep(grace)
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
		_ = json.NewEncoder(w).Encode(answer{
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
