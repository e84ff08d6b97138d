package page

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Reader reads the state of a mesh. All functions except Prometheus are required.
type Reader struct {
	Client client.Client
	Now    func() time.Time
	// Mesh returns the summary of the mesh without its conditions.
	Mesh func(context.Context) (Mesh, error)
	// Sidecars returns all sidecars, with a problem for each replica that does not respond.
	Sidecars func(context.Context) ([]Sidecar, []string, error)
	// Loads and Changes return the reports of the replicas that respond. complete is false if a sidecar has not reported yet.
	Loads   func(context.Context) (loads []report.Load, complete bool, err error)
	Changes func(context.Context) ([]report.Changes, error)
	// Prometheus returns the server of the mesh and whether there is one.
	Prometheus func(context.Context) (prometheus.Target, bool)
	// Metrics queries the server.
	Metrics *prometheus.Client
	// Disconnect closes connections to the replicas and the server after one of them failed. The next read opens new ones.
	Disconnect func()
}

// Read returns the state. Whatever cannot be read is a problem of the state; only a mesh that cannot be read is an error.
func (r Reader) Read(ctx context.Context) (*State, error) {
	mesh, err := r.Mesh(ctx)
	if err != nil {
		return nil, err
	}
	s := &State{Mesh: mesh, At: r.Now(), Problems: []string{}, Sources: []string{}, Sidecars: []Sidecar{}, Certificates: []Certificate{}, Changes: []Change{}}
	s.Mesh.Conditions = []Condition{}
	r.addSidecars(ctx, s)
	r.addTraffic(ctx, s)
	if changes, err := r.Changes(ctx); err != nil {
		s.problem("The latest changes cannot be read: %v", err)
	} else {
		s.Changes = changesOf(changes)
	}
	live := &v1alpha1.Mesh{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: mesh.Name}, live); err != nil {
		s.problem("The Mesh cannot be read: %v", err)
	} else {
		s.describe(live)
	}
	list, objects, problems := policies(ctx, r.Client, mesh.Members)
	s.Policies = list
	s.Problems = append(s.Problems, problems...)
	if server, known := r.Prometheus(ctx); !known {
		s.Sources = append(s.Sources, "Latencies and verdicts need a Prometheus in the mesh.")
	} else if err := s.addMetrics(ctx, r.Metrics, server, objects, r.Now()); err != nil {
		s.problem("Prometheus cannot be queried: %v", err)
		r.Disconnect()
	} else {
		s.Sources = append(s.Sources, "Latencies are those of all clients in a namespace, from Prometheus.")
	}
	return s, nil
}

func (s *State) problem(format string, args ...any) {
	s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
}

func (r Reader) addSidecars(ctx context.Context, s *State) {
	sidecars, problems, err := r.Sidecars(ctx)
	if err != nil {
		s.problem("The sidecars cannot be read: %v", err)
	}
	s.Problems = append(s.Problems, problems...)
	s.Sidecars = append(s.Sidecars, sidecars...)
}

// addTraffic builds the graph. Without permission to read endpoints, Services are not connected with the workloads behind them.
func (r Reader) addTraffic(ctx context.Context, s *State) {
	s.Sources = append(s.Sources, "Rates are those of the last minute, from load reports of the sidecars.")
	loads, complete, err := r.Loads(ctx)
	if err != nil {
		s.problem("The load reports cannot be read: %v", err)
	} else if !complete {
		s.Sources = append(s.Sources, "Some sidecars have not reported yet: reports begin a few seconds after this page is opened.")
	}
	backing, err := r.backing(ctx, s.Mesh.Members, s.Sidecars)
	if err != nil {
		s.problem("The endpoints of Services cannot be read: %v", err)
	}
	s.Nodes, s.Edges = Graph(loads, backing, s.Sidecars, !s.Mesh.Permissive)
}

// backing finds the accounts behind Services by the pods in their EndpointSlices.
func (r Reader) backing(ctx context.Context, members []string, sidecars []Sidecar) (Backing, error) {
	accounts := map[string]string{}
	for _, s := range sidecars {
		accounts[s.Namespace+"/"+s.Pod] = s.Namespace + "/" + s.ServiceAccount
	}
	found := Backing{}
	for _, member := range members {
		var endpointSlices discoveryv1.EndpointSliceList
		if err := r.Client.List(ctx, &endpointSlices, client.InNamespace(member)); err != nil {
			return found, err
		}
		for _, slice := range endpointSlices.Items {
			service := member + "/" + slice.Labels[discoveryv1.LabelServiceName]
			for _, endpoint := range slice.Endpoints {
				account := accounts[podOf(endpoint.TargetRef)]
				if account != "" && !slices.Contains(found[service], account) {
					found[service] = append(found[service], account)
				}
			}
		}
	}
	return found, nil
}

func podOf(target *corev1.ObjectReference) string {
	if target == nil || target.Kind != "Pod" {
		return ""
	}
	return target.Namespace + "/" + target.Name
}

// freshness is how long a state is reused, so that several tabs do not read it several times.
const freshness = 2 * time.Second

//go:embed assets
var assets embed.FS

// Handler serves the page.
type Handler struct {
	read func(context.Context) (*State, error)
	now  func() time.Time
	mux  *http.ServeMux

	mu   sync.Mutex
	last *State
	at   time.Time
}

// New returns a handler that reads the state by read, one call at a time.
func New(read func(context.Context) (*State, error), now func() time.Time) (*Handler, error) {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		return nil, err
	}
	h := &Handler{read: read, now: now, mux: http.NewServeMux()}
	h.mux.HandleFunc("GET /state", h.state)
	h.mux.Handle("GET /", http.FileServerFS(files))
	return h, nil
}

// ServeHTTP rejects requests under other names than that of the local address: a foreign web page could otherwise give its own name
// this address and read the state.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !isLocal(r.Host) {
		http.Error(w, "open this page by its local address", http.StatusMisdirectedRequest)
		return
	}
	header := w.Header()
	header.Set("Content-Security-Policy", "default-src 'self'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	h.mux.ServeHTTP(w, r)
}

// isLocal reports whether the Host of a request is a loopback address or localhost, with a port.
func isLocal(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil {
		return false
	}
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// state answers with the state as JSON, or with an error that the page shows.
func (h *Handler) state(w http.ResponseWriter, r *http.Request) {
	state, err := h.current(r.Context())
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
		return
	}
	_ = json.NewEncoder(w).Encode(state)
}

// current returns the last state if it is fresh, and reads it otherwise.
func (h *Handler) current(ctx context.Context) (*State, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last != nil && h.now().Sub(h.at) < freshness {
		return h.last, nil
	}
	state, err := h.read(ctx)
	if err != nil {
		return nil, err
	}
	h.last, h.at = state, h.now()
	return state, nil
}
