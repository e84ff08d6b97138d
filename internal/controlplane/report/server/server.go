package server

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/denials"
	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/controlplane/peering"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/httplimit"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Config configures a server. All fields are required.
type Config struct {
	Listener    net.Listener
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Handler     http.Handler
	// OnClosed is called for each connection that is refused or closed because of a limit.
	OnClosed func()
}

// Profile returns the limits of clients. They leave room for the operator, the other replicas and users.
func Profile() httplimit.Profile {
	return httplimit.Profile{
		Limits:        httplimit.Limits{Connections: 256, ConnectionsPerAddress: 32, Requests: 16, RequestsPerAddress: 4},
		HeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeader: 32 << 10,
	}
}

// Serve serves a handler over TLS until ctx ends, then closes the listener.
func Serve(ctx context.Context, config Config) error {
	server := &http.Server{ //nolint:gosec // the profile has the timeouts
		Handler: config.Handler, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: config.Certificate},
	}
	listener := Profile().Apply(server, config.Listener, config.OnClosed)
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the report server on %s stopped: %w", config.Listener.Addr(), err)
	}
	return nil
}

// Store is the reported part of the snapshot Store. It is safe for concurrent use.
type Store interface {
	// IsReady returns true if the Store serves sidecars.
	IsReady() bool
	Proxies() []status.Proxy
	// CompleteEpochs returns the highest epoch of the Envoys that have had their whole configuration, by instance.
	CompleteEpochs() map[entity.InstanceID]uint64
	Trust() status.Trust
	Policy(ctx context.Context, policy entity.Ref) (status.Policy, error)
	Rejections() []quarantine.Rejection
	LimitedPolicies() []status.LimitedPolicy
	Traces() []status.Trace
	// View calls f with a view of the mesh.
	View(ctx context.Context, f func(*catalog.View)) error
}

// firstLoads is how long a reader waits for the first reports after a pause.
const firstLoads = 3 * time.Second

// Loads are the load reports of sidecars. Reading enables load reporting. It is safe for concurrent use.
type Loads interface {
	// Await enables load reporting too. The channel is closed when all sidecars have reported once.
	Await() <-chan struct{}
	Read() loadstats.Loads
	// Failures are the authorization and rate limit servers that do not answer. They do not depend on enabled reporting.
	Failures() []loadstats.Failure
}

// Issuer identifies the certificate that issues certificates. It is safe for concurrent use.
type Issuer interface {
	Generation() string
	// Failure is why certificates are not issued; nil if they are.
	Failure() *certificate.Failure
}

// Denials are the denials that sidecars report. It is safe for concurrent use.
type Denials interface {
	Began() time.Time
	// Named returns them with the names of Services.
	Named(ctx context.Context, views denials.Views) (list []denials.Denial, dropped uint64, err error)
}

// Peers is what the peers of the mesh have said. It is safe for concurrent use.
type Peers interface {
	// Imports returns what a peer has said, verified; ok is false if there is no such peer.
	Imports(peer string) (imports peering.Imports, ok bool)
}

// Handler serves the reports of a Store, the loads and the denials of its sidecars, and what peers have said, to users that access authorizes.
func Handler(store Store, load Loads, denied Denials, issuer Issuer, peers Peers, access *Access) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+report.PeersPath+"{name}", func(w http.ResponseWriter, r *http.Request) { answer(w, peer(peers, r.PathValue("name"))) })
	mux.HandleFunc("GET "+report.ProxiesPath, func(w http.ResponseWriter, _ *http.Request) {
		// The trust is read first: a sidecar that is up to date afterwards has acknowledged it.
		trust := store.Trust()
		document := Proxies(store.Proxies())
		document.Authority = authority(issuer, trust)
		answer(w, document)
	})
	mux.HandleFunc("GET "+report.HandoversPath, func(w http.ResponseWriter, _ *http.Request) {
		document := report.Handovers{Epochs: map[string]uint64{}}
		for id, epoch := range store.CompleteEpochs() {
			document.Epochs[string(id)] = epoch
		}
		answer(w, document)
	})
	mux.HandleFunc("GET "+report.RejectionsPath, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, Rejections(store.Rejections(), load.Failures(), store.LimitedPolicies()))
	})
	mux.HandleFunc("GET "+report.ChangesPath, func(w http.ResponseWriter, _ *http.Request) { answer(w, Changes(store.Traces())) })
	mux.HandleFunc("GET "+report.LoadsPath, func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), firstLoads)
		defer cancel()
		select {
		case <-load.Await():
		case <-ctx.Done():
		}
		answer(w, loads(load.Read()))
	})
	mux.HandleFunc("GET "+report.DenialsPath, func(w http.ResponseWriter, r *http.Request) {
		list, dropped, err := denied.Named(r.Context(), store.View)
		if err != nil {
			writeError(w, http.StatusServiceUnavailable, err)
			return
		}
		answer(w, denialsOf(denied.Began(), list, dropped))
	})
	mux.HandleFunc("GET "+report.ObjectsPath+"{kind}/{namespace}/{name}", func(w http.ResponseWriter, r *http.Request) {
		policy := entity.Ref{
			Kind: entity.Kind(r.PathValue("kind")),
			Name: entity.Name{Namespace: r.PathValue("namespace"), Name: r.PathValue("name")},
		}
		found, err := store.Policy(r.Context(), policy)
		switch {
		case errors.Is(err, status.ErrUnknownPolicy):
			writeError(w, http.StatusNotFound, err)
		case err != nil:
			writeError(w, http.StatusServiceUnavailable, err)
		default:
			answer(w, object(found))
		}
	})
	return access.protect(whenReady(store, mux))
}

// whenReady rejects requests until the Store is synced. Before, an empty list of sidecars would be misleading.
func whenReady(store Store, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !store.IsReady() {
			writeError(w, http.StatusServiceUnavailable, snapshot.ErrNotSynced)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, document any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(document) // the client may have disconnected
}

func writeError(w http.ResponseWriter, code int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(report.Error{Error: fmt.Sprint(err)})
}
