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

// AgentPort is the port of the agent in a test pod. The agent listens on the pod's loopback address, so policies do not
// affect it.
const AgentPort = 7070

// Agent is a client of the agent in one container of a pod.
type Agent struct {
	cluster *Cluster
	// lifetime limits the lifetime of the forwarded connection.
	lifetime       context.Context
	namespace, pod string
	port           int

	mu      sync.Mutex
	address string
}

// Agent returns the client of the agent on a port of a pod. It connects on first use, and the connection ends with ctx.
func (c *Cluster) Agent(ctx context.Context, namespace, pod string, port int) *Agent {
	return &Agent{cluster: c, lifetime: ctx, namespace: namespace, pod: pod, port: port}
}

// Run runs a command of the tools to completion and returns its output.
func (a *Agent) Run(ctx context.Context, args ...string) ([]byte, error) {
	return a.post(ctx, "/run", args)
}

// Requests runs the command request.
func (a *Agent) Requests(ctx context.Context, url string, args ...string) (*report.Requests, error) {
	return decodeReport[report.Requests](a.Run(ctx, append([]string{"request", url}, args...)...))
}

// Session runs the command session.
func (a *Agent) Session(ctx context.Context, address string, args ...string) (*report.Session, error) {
	return decodeReport[report.Session](a.Run(ctx, append([]string{"session", address}, args...)...))
}

// Handshake runs the command handshake.
func (a *Agent) Handshake(ctx context.Context, address, serverName string) (*report.Handshake, error) {
	return decodeReport[report.Handshake](a.Run(ctx, "handshake", address, "--server-name", serverName, "--protocols", "osm"))
}

// Stream runs the command stream.
func (a *Agent) Stream(ctx context.Context, address string, args ...string) (*report.Stream, error) {
	return decodeReport[report.Stream](a.Run(ctx, append([]string{"stream", address}, args...)...))
}

// Signal sends STOP or CONT to the processes of a program in the pod, which must share its processes.
func (a *Agent) Signal(ctx context.Context, program, signal string) error {
	_, err := a.Run(ctx, "signal", program, signal)
	return err
}

// SetHealth sets the response of the server's /health.
func (a *Agent) SetHealth(ctx context.Context, healthy bool) error {
	_, err := a.post(ctx, fmt.Sprintf("/health?healthy=%t", healthy), nil)
	return err
}

// Running is a started command.
type Running[T any] struct {
	agent *Agent
	id    string
}

// StartRequests starts the command request. It runs until Stop.
func (a *Agent) StartRequests(ctx context.Context, url string, args ...string) (*Running[report.Requests], error) {
	return start[report.Requests](ctx, a, append([]string{"request", url, "--count", "0"}, args...))
}

// StartSession starts the command session. It runs until Stop.
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

// Snapshot returns the current report of the command. Commands without intermediate reports return an error.
func (r *Running[T]) Snapshot(ctx context.Context) (*T, error) {
	return decodeReport[T](r.agent.post(ctx, "/snapshot?id="+r.id, nil))
}

// Stop ends the command and returns its report.
func (r *Running[T]) Stop(ctx context.Context) (*T, error) {
	return decodeReport[T](r.agent.post(ctx, "/stop?id="+r.id, nil))
}

func decodeReport[T any](data []byte, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	result := new(T)
	if err := json.Unmarshal(data, result); err != nil {
		return nil, fmt.Errorf("the tools printed %q: %w", data, err)
	}
	return result, nil
}

// post sends a request to the agent. It reconnects once if the connection is broken, for example after a restart of the
// API server or the pod.
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
		response, err := send(ctx, "http://"+address+path, body)
		if err == nil {
			return response, nil
		}
		var rejected *agentError
		if errors.As(err, &rejected) || attempt > 0 || ctx.Err() != nil {
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

// agentError is an error that the agent returned for a request.
type agentError struct{ message string }

func (e *agentError) Error() string { return e.message }

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
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, &agentError{strings.TrimSpace(string(text))}
	}
	return text, nil
}
