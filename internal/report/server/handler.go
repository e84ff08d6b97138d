package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/loadstats"
	"github.com/openservicemesh/osm-operator/internal/report"
	"github.com/openservicemesh/osm-operator/internal/snapshot"
)

// Store is the part of the snapshot Store that is reported. It is safe for concurrent use.
type Store interface {
	// Ready says whether the Store serves sidecars.
	Ready() bool
	Proxies() []snapshot.Proxy
	Policy(ctx context.Context, policy catalog.Ref) (snapshot.PolicyStatus, error)
	Rejections() []snapshot.Rejection
	Traces() []snapshot.Trace
}

// Loads are what sidecars report about their requests. Reading makes them report. It is safe for concurrent use.
type Loads interface{ Read() loadstats.Loads }

// Handler serves the report of a Store, and the loads of its sidecars, to whoever access lets in.
func Handler(store Store, load Loads, access *Access) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+report.ProxiesPath, func(w http.ResponseWriter, _ *http.Request) { answer(w, Proxies(store.Proxies())) })
	mux.HandleFunc("GET "+report.RejectionsPath, func(w http.ResponseWriter, _ *http.Request) { answer(w, Rejections(store.Rejections())) })
	mux.HandleFunc("GET "+report.ChangesPath, func(w http.ResponseWriter, _ *http.Request) { answer(w, Changes(store.Traces())) })
	mux.HandleFunc("GET "+report.LoadsPath, func(w http.ResponseWriter, _ *http.Request) { answer(w, loads(load.Read())) })
	mux.HandleFunc("GET "+report.ObjectsPath+"{kind}/{namespace}/{name}", func(w http.ResponseWriter, r *http.Request) {
		policy := catalog.Ref{
			Kind: catalog.Kind(r.PathValue("kind")),
			Name: catalog.Name{Namespace: r.PathValue("namespace"), Name: r.PathValue("name")},
		}
		status, err := store.Policy(r.Context(), policy)
		switch {
		case errors.Is(err, snapshot.ErrNoPolicy):
			refuse(w, http.StatusNotFound, err)
		case err != nil:
			refuse(w, http.StatusServiceUnavailable, err)
		default:
			answer(w, object(status))
		}
	})
	return access.protect(whenReady(store, mux))
}

// whenReady answers nothing while the Store does not know the whole mesh: that no sidecar is connected yet would look as if
// there were none.
func whenReady(store Store, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !store.Ready() {
			refuse(w, http.StatusServiceUnavailable, snapshot.ErrNotSynced)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, document any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(document) // a client that is gone is told nothing
}

func refuse(w http.ResponseWriter, code int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(report.Error{Error: fmt.Sprint(err)})
}
