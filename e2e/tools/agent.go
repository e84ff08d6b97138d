package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// agent runs commands for tests over HTTP, which is much cheaper than starting a process in a pod for each.
//
//	POST /run    {"args": [...]}  runs a command to its end and answers with what it printed
//	POST /start  {"args": [...]}  starts a command and answers with its number
//	POST /look?id=N               answers with what a started command would print now
//	POST /stop?id=N               ends a started command and answers with what it printed
//	POST /health?healthy=BOOL     decides what the server's /health answers
type agent struct {
	health *health

	mu      sync.Mutex
	last    int
	started map[string]*started
}

// started is a command that runs.
type started struct {
	cancel context.CancelFunc
	done   chan struct{}
	out    bytes.Buffer
	err    error
	look   lookout
}

// lookout is where a command that lasts makes known what it would print now.
type lookout struct {
	mu   sync.Mutex
	says func() any
}

// lookoutKey is the key of a lookout in a context.
type lookoutKey struct{}

// publish makes known what a command would print now, if somebody may ask.
func publish(ctx context.Context, says func() any) {
	if l, ok := ctx.Value(lookoutKey{}).(*lookout); ok {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.says = says
	}
}

func newAgent(h *health) *agent { return &agent{health: h, started: map[string]*started{}} }

func (a *agent) listen(address string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /run", a.run)
	mux.HandleFunc("POST /start", a.start)
	mux.HandleFunc("POST /look", a.look)
	mux.HandleFunc("POST /stop", a.stop)
	mux.HandleFunc("POST /health", a.setHealth)
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

// prepare makes the command that a request asks for.
func prepare(r *http.Request, out *bytes.Buffer) (*cobra.Command, error) {
	var body struct {
		Args []string `json:"args"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, fmt.Errorf("the body is not {\"args\": [...]}: %w", err)
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
		s.err = cmd.ExecuteContext(context.WithValue(ctx, lookoutKey{}, &s.look))
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
		reply(w, nil, fmt.Errorf("no command with the number %q runs", id))
		return
	}
	s.cancel()
	<-s.done
	reply(w, s.out.Bytes(), s.err)
}

func (a *agent) look(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	a.mu.Lock()
	s := a.started[id]
	a.mu.Unlock()
	if s == nil {
		reply(w, nil, fmt.Errorf("no command with the number %q runs", id))
		return
	}
	s.look.mu.Lock()
	says := s.look.says
	s.look.mu.Unlock()
	if says == nil {
		reply(w, nil, fmt.Errorf("the command with the number %q says nothing before it ends", id))
		return
	}
	text, err := json.Marshal(says())
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
