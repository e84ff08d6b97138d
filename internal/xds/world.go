package xds

import (
	"maps"
	"slices"
	"sync"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/snapshot"
)

// StreamAggregatedResources serves a client that speaks the older, state-of-the-world form of discovery, which no sidecar of
// this mesh does. It is authenticated and told the same as if it spoke the delta form. What it rejects is noted and withholds
// no policy: it rejects whole states, so nobody knows which resource it means.
func (s *Server) StreamAggregatedResources(transport discovery.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	w := newWorldly()
	return s.serve(transport.Context(), session{
		receive: func() (*discovery.DeltaDiscoveryRequest, error) {
			req, err := transport.Recv()
			if err != nil {
				return nil, err
			}
			return w.request(req), nil
		},
		send:  func(r *snapshot.Response) error { return transport.SendMsg(w.response(r)) },
		whole: true,
	})
}

// worldly translates between the two forms. Requests and responses may be translated at the same time.
type worldly struct {
	mu sync.Mutex
	// wanted are the names that the client asks for by type URL; "*" stands for all.
	wanted map[string]map[string]struct{}
	// held is what the client was sent of the types of which it is always sent everything.
	held map[snapshot.Type]map[string]snapshot.Resource
}

func newWorldly() *worldly {
	return &worldly{wanted: map[string]map[string]struct{}{}, held: map[snapshot.Type]map[string]snapshot.Resource{}}
}

// request says what a request changes.
func (w *worldly) request(req *discovery.DiscoveryRequest) *discovery.DeltaDiscoveryRequest {
	delta := &discovery.DeltaDiscoveryRequest{
		Node: req.GetNode(), TypeUrl: req.GetTypeUrl(), ResponseNonce: req.GetResponseNonce(), ErrorDetail: req.GetErrorDetail(),
	}
	t, err := snapshot.ParseType(req.GetTypeUrl())
	if err != nil {
		return delta // refused by whoever takes it
	}
	if len(req.GetResourceNames()) > snapshot.MaxNames {
		delta.ResourceNamesSubscribe = req.GetResourceNames() // refused as well, before anything is remembered
		return delta
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before, asked := w.wanted[req.GetTypeUrl()]
	wanted := map[string]struct{}{}
	for _, name := range req.GetResourceNames() {
		wanted[name] = struct{}{}
	}
	_, everything := before["*"]
	if len(wanted) == 0 && t.Whole() && (!asked || everything) {
		wanted["*"] = struct{}{}
	}
	delta.ResourceNamesSubscribe = missing(wanted, before)
	delta.ResourceNamesUnsubscribe = missing(before, wanted)
	w.wanted[req.GetTypeUrl()] = wanted
	return delta
}

// missing are the names of one set that another one lacks, sorted.
func missing(from, in map[string]struct{}) []string {
	var names []string
	for name := range from {
		if _, ok := in[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// response makes a whole state of what has changed.
func (w *worldly) response(r *snapshot.Response) *snapshot.World {
	if !r.Type.Whole() {
		return snapshot.NewWorld(r.Type, r.Nonce, slices.Clone(r.Resources))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	held := w.held[r.Type]
	if held == nil {
		held = map[string]snapshot.Resource{}
		w.held[r.Type] = held
	}
	for _, name := range r.Removed {
		delete(held, name)
	}
	for _, res := range r.Resources {
		held[res.Name()] = res
	}
	wanted := w.wanted[r.Type.URL()]
	if _, everything := wanted["*"]; !everything {
		maps.DeleteFunc(held, func(name string, _ snapshot.Resource) bool {
			_, ok := wanted[name]
			return !ok
		})
	}
	return snapshot.NewWorld(r.Type, r.Nonce, slices.Collect(maps.Values(held)))
}
