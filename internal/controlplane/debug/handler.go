package debug

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// page is a JSON page.
type page struct {
	path, about string
	show        func(Sources, *http.Request) (any, error)
}

// pages have the paths of OSM, except changes.
var pages = []page{
	{"/debug/certs", "the certificates of workloads, without their keys", certificates},
	{"/debug/xds", "the sidecars that are connected, and how far each is with each type of resources", streams},
	{"/debug/proxy", "the sidecars that are connected; with ?uuid=, one of them; with &cfg=true, what it should be configured with", proxies},
	{"/debug/policies", "the policies as they were understood", policies},
	{"/debug/config", "the MeshConfig that is in force", config},
	{"/debug/namespaces", "the namespaces of the mesh", namespaces},
	{"/debug/feature-flags", "the feature flags of the MeshConfig", featureFlags},
	{"/debug/changes", "the latest changes of the mesh, and how long each was in each stage on its way to the sidecars", changes},
}

// Handler serves the pages, an index at /debug, and profiles below /debug/pprof/.
func Handler(sources Sources) http.Handler {
	mux := http.NewServeMux()
	for _, p := range pages {
		mux.HandleFunc("GET "+p.path, func(w http.ResponseWriter, r *http.Request) {
			document, err := p.show(sources, r)
			answer(w, document, err)
		})
	}
	mux.HandleFunc("GET /debug", index)
	mux.HandleFunc("GET /debug/{$}", index)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return local(mux)
}

// local rejects requests for other hosts than localhost. This prevents DNS rebinding attacks through the user's browser.
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(r.Host); err == nil {
			host = name
		}
		ip := net.ParseIP(host)
		if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "the debug pages are served for localhost alone: use kubectl port-forward", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, "<!DOCTYPE html>\n<title>osm-controller</title>\n<ul>\n")
	for _, p := range pages {
		fmt.Fprintf(w, "<li><a href=%q>%s</a> %s</li>\n", p.path, p.path, p.about)
	}
	fmt.Fprint(w, "<li><a href=\"/debug/pprof/\">/debug/pprof/</a> profiles of the process</li>\n</ul>\n")
}

// problem is an error with an HTTP status.
type problem struct {
	code int
	text string
}

func (p problem) Error() string { return p.text }

func answer(w http.ResponseWriter, document any, err error) {
	if err != nil {
		code := http.StatusServiceUnavailable
		if p, ok := err.(problem); ok { //nolint:errorlint // problems are not wrapped
			code = p.code
		}
		http.Error(w, err.Error(), code)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(document) // the client may have disconnected
}

// Store provides the proxies and resources of the snapshot store. It is safe for concurrent use.
type Store interface {
	Proxies() []status.Proxy
	Traces() []status.Trace
	Resources(id entity.InstanceID) ([]snapshot.ConfiguredResource, error)
	Entries(ctx context.Context, kinds ...entity.Kind) ([]catalog.Entry, error)
}

// Sources provides the data of the debug pages. All fields are required.
type Sources struct {
	Store Store
	// Certificates returns the certificates of workloads.
	Certificates func() []certificate.Info
	// MeshConfig returns the active MeshConfig, or nil.
	MeshConfig func() *configv1alpha2.MeshConfig
}

// Limits of a connection. A profile must end within writeLimit.
const (
	headerLimit = 5 * time.Second
	writeLimit  = 5 * time.Minute
	// tryAgain is the delay after a failed attempt to listen.
	tryAgain = 5 * time.Second
)

// Switch starts and stops a server at run time. It is off initially. Set is safe for concurrent use.
type Switch struct {
	listen  func() (net.Listener, error)
	handler http.Handler
	log     logr.Logger
	on      atomic.Bool
	changed chan struct{}
}

// NewSwitch returns a Switch for a server with the given handler. listen opens its listener.
func NewSwitch(listen func() (net.Listener, error), handler http.Handler, log logr.Logger) *Switch {
	return &Switch{listen: listen, handler: handler, log: log, changed: make(chan struct{}, 1)}
}

// Set turns the server on or off asynchronously.
func (s *Switch) Set(on bool) {
	s.on.Store(on)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Run serves while the switch is on, until ctx ends. Failures to listen are logged and retried, because the mesh does not depend on them.
func (s *Switch) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if s.on.Load() {
			s.serve(ctx)
			continue
		}
		select {
		case <-ctx.Done():
		case <-s.changed:
		}
	}
	return nil
}

// serve serves until the switch is off, ctx ends, or the server fails.
func (s *Switch) serve(ctx context.Context) {
	listener, err := s.listen()
	if err != nil {
		s.failed(ctx, err)
		return
	}
	server := &http.Server{Handler: s.handler, ReadHeaderTimeout: headerLimit, WriteTimeout: writeLimit}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	s.log.Info("the debug server is on", "address", listener.Addr().String())
	for s.on.Load() && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-s.changed:
		case err := <-ended:
			s.failed(ctx, err)
			return
		}
	}
	_ = server.Close()
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		s.log.Error(err, "the debug server ended by itself")
	}
	s.log.Info("the debug server is off")
}

// failed waits before the next attempt.
func (s *Switch) failed(ctx context.Context, err error) {
	s.log.Error(err, "the debug server does not run; trying again", "after", tryAgain)
	select {
	case <-ctx.Done():
	case <-s.changed:
	case <-time.After(tryAgain):
	}
}
