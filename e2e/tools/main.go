package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// agent runs commands for tests over HTTP, which is much cheaper than one exec per command.
//
//	POST /run    {"args": [...]}  runs a command to completion and returns its output
//	POST /start  {"args": [...]}  starts a command and returns its number
//	POST /snapshot?id=N           returns the current report of a started command
//	POST /stop?id=N               stops a started command and returns its output
//	POST /health?healthy=BOOL     sets the response of the server's /health
type agent struct {
	health *health

	mu      sync.Mutex
	last    int
	started map[string]*started
}

// started is a running command.
type started struct {
	cancel context.CancelFunc
	done   chan struct{}
	out    bytes.Buffer
	err    error
	source snapshotSource
}

// snapshotSource provides the current report of a long command.
type snapshotSource struct {
	mu      sync.Mutex
	current func() any
}

// snapshotKey is the context key of a snapshotSource.
type snapshotKey struct{}

// publish sets the function that returns the current report, if the command runs in an agent.
func publish(ctx context.Context, current func() any) {
	if l, ok := ctx.Value(snapshotKey{}).(*snapshotSource); ok {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.current = current
	}
}

func newAgent(h *health) *agent { return &agent{health: h, started: map[string]*started{}} }

func (a *agent) listen(address string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /run", a.run)
	mux.HandleFunc("POST /start", a.start)
	mux.HandleFunc("POST /snapshot", a.snapshot)
	mux.HandleFunc("POST /stop", a.stop)
	mux.HandleFunc("POST /health", a.setHealth)
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

// prepare returns the command of a request.
func prepare(r *http.Request, out *bytes.Buffer) (*cobra.Command, error) {
	var body struct {
		Args []string `json:"args"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, fmt.Errorf("the body does not have the form {\"args\": [...]}: %w", err)
	}
	cmd := clientCommands()
	cmd.SetArgs(body.Args)
	cmd.SetOut(out)
	return cmd, nil
}

func (a *agent) run(w http.ResponseWriter, r *http.Request) {
	var out bytes.Buffer
	cmd, err := prepare(r, &out)
	if err == nil {
		err = cmd.ExecuteContext(r.Context())
	}
	reply(w, out.Bytes(), err)
}

func (a *agent) start(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &started{cancel: cancel, done: make(chan struct{})}
	cmd, err := prepare(r, &s.out)
	if err != nil {
		cancel()
		reply(w, nil, err)
		return
	}
	go func() {
		defer close(s.done)
		s.err = cmd.ExecuteContext(context.WithValue(ctx, snapshotKey{}, &s.source))
	}()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	id := strconv.Itoa(a.last)
	a.started[id] = s
	reply(w, []byte(id), nil)
}

func (a *agent) stop(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	a.mu.Lock()
	s := a.started[id]
	delete(a.started, id)
	a.mu.Unlock()
	if s == nil {
		reply(w, nil, fmt.Errorf("no command with the number %q is running", id))
		return
	}
	s.cancel()
	<-s.done
	reply(w, s.out.Bytes(), s.err)
}

func (a *agent) snapshot(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	a.mu.Lock()
	s := a.started[id]
	a.mu.Unlock()
	if s == nil {
		reply(w, nil, fmt.Errorf("no command with the number %q is running", id))
		return
	}
	s.source.mu.Lock()
	current := s.source.current
	s.source.mu.Unlock()
	if current == nil {
		reply(w, nil, fmt.Errorf("the command with the number %q has no report before it ends", id))
		return
	}
	text, err := json.Marshal(current())
	reply(w, text, err)
}

func (a *agent) setHealth(w http.ResponseWriter, r *http.Request) {
	healthy, err := strconv.ParseBool(r.URL.Query().Get("healthy"))
	if err == nil {
		a.health.failing.Store(!healthy)
	}
	reply(w, nil, err)
}

func reply(w http.ResponseWriter, out []byte, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(out)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := clientCommands()
	root.AddCommand(serveCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// clientCommands returns the commands that an agent can run.
func clientCommands() *cobra.Command {
	root := &cobra.Command{Use: "tools", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(requestCommand(), sessionCommand(), handshakeCommand(), streamCommand(), signalCommand())
	return root
}

// printReport writes a report as JSON.
func printReport(cmd *cobra.Command, report any) error {
	return json.NewEncoder(cmd.OutOrStdout()).Encode(report)
}

// signals are the signals that a test can send.
var signals = map[string]syscall.Signal{"STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT}

func signalCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "signal PROGRAM STOP|CONT",
		Short: "send a signal to all processes of a program in the pod, which must share its processes",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			signal, ok := signals[args[1]]
			if !ok {
				return fmt.Errorf("the signal %q is unknown: use STOP or CONT", args[1])
			}
			return signalProgram("/proc", args[0], signal, syscall.Kill)
		},
	}
}

// signalProgram sends a signal to the processes of a program. It is an error if there are none.
func signalProgram(proc, program string, signal syscall.Signal, kill func(int, syscall.Signal) error) error {
	files, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "comm"))
	if err != nil {
		return err
	}
	found := false
	for _, file := range files {
		// A process can end while the list is read.
		name, err := os.ReadFile(file)
		pid, notNumber := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil || notNumber != nil || strings.TrimSpace(string(name)) != program {
			continue
		}
		if err := kill(pid, signal); err != nil {
			return fmt.Errorf("process %d of %s: %w", pid, program, err)
		}
		found = true
	}
	if !found {
		return fmt.Errorf("no process of %s runs in this pod: set shareProcessNamespace", program)
	}
	return nil
}
