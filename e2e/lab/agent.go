package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/openservicemesh/osm-operator/e2e/report"
)

// AgentPort is where the tools in a test pod take orders, on the pod's own loopback: policies do not touch it.
const AgentPort = 7070

// Agent gives orders to the tools in one container of a pod.
type Agent struct {
	cluster *Cluster
	// lifetime ends the forwarded connection.
	lifetime       context.Context
	namespace, pod string
	port           int

	mu      sync.Mutex
	address string
}

// Agent returns the agent of a pod that listens on a port. Nothing is connected until it is used; the connection ends with
// ctx.
func (c *Cluster) Agent(ctx context.Context, namespace, pod string, port int) *Agent {
	return &Agent{cluster: c, lifetime: ctx, namespace: namespace, pod: pod, port: port}
}

// Run runs a command of the tools to its end and returns what it printed.
func (a *Agent) Run(ctx context.Context, args ...string) ([]byte, error) {
	return a.post(ctx, "/run", args)
}

// Requests runs the command request.
func (a *Agent) Requests(ctx context.Context, url string, args ...string) (*report.Requests, error) {
	return decoded[report.Requests](a.Run(ctx, append([]string{"request", url}, args...)...))
}

// Session runs the command session.
func (a *Agent) Session(ctx context.Context, address string, args ...string) (*report.Session, error) {
	return decoded[report.Session](a.Run(ctx, append([]string{"session", address}, args...)...))
}

// Handshake runs the command handshake.
func (a *Agent) Handshake(ctx context.Context, address, serverName string) (*report.Handshake, error) {
	return decoded[report.Handshake](a.Run(ctx, "handshake", address, "--server-name", serverName, "--protocols", "osm"))
}

// Stream runs the command stream.
func (a *Agent) Stream(ctx context.Context, address string, args ...string) (*report.Stream, error) {
	return decoded[report.Stream](a.Run(ctx, append([]string{"stream", address}, args...)...))
}

// SetHealth decides what the server's /health answers.
func (a *Agent) SetHealth(ctx context.Context, healthy bool) error {
	_, err := a.post(ctx, fmt.Sprintf("/health?healthy=%t", healthy), nil)
	return err
}

// Running is a command that was started.
type Running[T any] struct {
	agent *Agent
	id    string
}

// StartRequests starts the command request, until Stop.
func (a *Agent) StartRequests(ctx context.Context, url string, args ...string) (*Running[report.Requests], error) {
	return start[report.Requests](ctx, a, append([]string{"request", url, "--count", "0"}, args...))
}

// StartSession starts the command session, until Stop.
func (a *Agent) StartSession(ctx context.Context, address string, args ...string) (*Running[report.Session], error) {
	return start[report.Session](ctx, a, append([]string{"session", address, "--duration", "1h"}, args...))
}

func start[T any](ctx context.Context, a *Agent, args []string) (*Running[T], error) {
	id, err := a.post(ctx, "/start", args)
	if err != nil {
		return nil, err
	}
	return &Running[T]{agent: a, id: string(id)}, nil
}

// Look returns what the command would report now. Commands that know nothing before they end answer with an error.
func (r *Running[T]) Look(ctx context.Context) (*T, error) {
	return decoded[T](r.agent.post(ctx, "/look?id="+r.id, nil))
}

// Stop ends the command and returns its report.
func (r *Running[T]) Stop(ctx context.Context) (*T, error) {
	return decoded[T](r.agent.post(ctx, "/stop?id="+r.id, nil))
}

func decoded[T any](data []byte, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	result := new(T)
	if err := json.Unmarshal(data, result); err != nil {
		return nil, fmt.Errorf("the tools printed %q: %w", data, err)
	}
	return result, nil
}

// post sends an order. A connection that broke, as it does when the API server or the pod is replaced, is made anew once.
func (a *Agent) post(ctx context.Context, path string, args []string) ([]byte, error) {
	body, err := json.Marshal(map[string][]string{"args": args})
	if err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		address, err := a.connect()
		if err != nil {
			return nil, err
		}
		said, err := send(ctx, "http://"+address+path, body)
		if err == nil {
			return said, nil
		}
		var order *orderError
		if errors.As(err, &order) || attempt > 0 || ctx.Err() != nil {
			return nil, fmt.Errorf("agent of %s/%s: %s %s: %w", a.namespace, a.pod, path, strings.Join(args, " "), err)
		}
		a.mu.Lock()
		a.address = ""
		a.mu.Unlock()
	}
}

func (a *Agent) connect() (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.address != "" {
		return a.address, nil
	}
	address, err := a.cluster.Forward(a.lifetime, a.namespace, a.pod, a.port)
	if err == nil {
		a.address = address
	}
	return address, err
}

// orderError is an order that arrived and could not be carried out.
type orderError struct{ said string }

func (e *orderError) Error() string { return e.said }

func send(ctx context.Context, url string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, &orderError{strings.TrimSpace(string(said))}
	}
	return said, nil
}
