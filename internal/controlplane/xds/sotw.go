package xds

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"sync"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// StreamAggregatedResources implements discovery.AggregatedDiscoveryServiceServer for clients that use the state-of-the-world (SotW)
// protocol. Sidecars of this mesh do not. The client is authenticated and configured as in the delta protocol. Its NACKs are
// recorded but quarantine no policy: a SotW response is rejected as a whole, so the rejected resource is not known.
func (s *Server) StreamAggregatedResources(grpcStream discovery.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	adapter := newSotWAdapter()
	return s.serve(grpcStream.Context(), adsClient{
		receive: func() (*discovery.DeltaDiscoveryRequest, func(), error) {
			req, err := grpcStream.Recv()
			if err != nil {
				return nil, nil, err
			}
			return adapter.deltaRequest(req), handledFunc(grpcStream.Context(), req), nil
		},
		send: func(r *delta.Response) error {
			response, ok := adapter.sotwResponse(r)
			if !ok {
				return delta.ErrNotSent
			}
			return grpcStream.SendMsg(response)
		},
		serve: (*snapshot.Stream).ServeUndivided,
	})
}

// sotwAdapter converts SotW requests to delta requests, and delta responses to SotW responses. Both methods are safe for concurrent
// use.
type sotwAdapter struct {
	mu sync.Mutex
	// subscribed has the names of the client's last request by type URL; "*" for all.
	subscribed map[string]map[string]struct{}
	// sent has the resources that the client should have, of the types whose responses must be complete.
	sent map[resourcetype.Type]map[string]resource.Versioned
}

func newSotWAdapter() *sotwAdapter {
	return &sotwAdapter{subscribed: map[string]map[string]struct{}{}, sent: map[resourcetype.Type]map[string]resource.Versioned{}}
}

// deltaRequest returns the difference between a request and the earlier one of its type.
func (a *sotwAdapter) deltaRequest(req *discovery.DiscoveryRequest) *discovery.DeltaDiscoveryRequest {
	request := &discovery.DeltaDiscoveryRequest{
		Node: req.GetNode(), TypeUrl: req.GetTypeUrl(), ResponseNonce: req.GetResponseNonce(), ErrorDetail: req.GetErrorDetail(),
	}
	t, err := resourcetype.ParseType(req.GetTypeUrl())
	if err != nil {
		return request // the delta stream rejects it
	}
	if len(req.GetResourceNames()) > delta.MaxNames {
		request.ResourceNamesSubscribe = req.GetResourceNames() // the delta stream rejects it, and nothing is stored here
		return request
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	before, requested := a.subscribed[req.GetTypeUrl()]
	subscribed := map[string]struct{}{}
	for _, name := range req.GetResourceNames() {
		subscribed[name] = struct{}{}
	}
	_, wildcard := before["*"]
	if len(subscribed) == 0 && t.IsWildcard() && (!requested || wildcard) {
		subscribed["*"] = struct{}{}
	}
	request.ResourceNamesSubscribe = sortedDifference(subscribed, before)
	request.ResourceNamesUnsubscribe = sortedDifference(before, subscribed)
	a.subscribed[req.GetTypeUrl()] = subscribed
	return request
}

// sortedDifference returns the names of a that are not in b.
func sortedDifference(a, b map[string]struct{}) []string {
	var names []string
	for name := range a {
		if _, ok := b[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// sotwResponse returns a response with all resources of clusters and listeners, and the changed resources of other types. It
// returns false for a response that only removes resources of another type: the protocol cannot express it.
func (a *sotwAdapter) sotwResponse(r *delta.Response) (*sotwResponse, bool) {
	if !r.Type.IsWildcard() {
		return newSotWResponse(r.Type, r.Nonce, slices.Clone(r.Resources)), len(r.Resources) > 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	sent := a.sent[r.Type]
	if sent == nil {
		sent = map[string]resource.Versioned{}
		a.sent[r.Type] = sent
	}
	for _, name := range r.Removed {
		delete(sent, name)
	}
	for _, res := range r.Resources {
		sent[res.Name()] = res
	}
	subscribed := a.subscribed[r.Type.URL()]
	if _, wildcard := subscribed["*"]; !wildcard {
		maps.DeleteFunc(sent, func(name string, _ resource.Versioned) bool {
			_, ok := subscribed[name]
			return !ok
		})
	}
	return newSotWResponse(r.Type, r.Nonce, slices.Collect(maps.Values(sent))), true
}

// sotwResponse is a state-of-the-world discovery response.
type sotwResponse struct {
	kind      resourcetype.Type
	nonce     string
	resources []resource.Versioned
}

// newSotWResponse takes ownership of resources and sorts them.
func newSotWResponse(t resourcetype.Type, nonce string, resources []resource.Versioned) *sotwResponse {
	slices.SortFunc(resources, func(a, b resource.Versioned) int { return cmp.Compare(a.Name(), b.Name()) })
	return &sotwResponse{kind: t, nonce: nonce, resources: resources}
}

// version is equal for equal resources, in all replicas.
func (r *sotwResponse) version() string {
	const length = 8
	sum := sha256.New()
	for _, res := range r.resources {
		sum.Write([]byte(res.Name() + "\x00" + res.WireVersion() + "\x00"))
	}
	return hex.EncodeToString(sum.Sum(nil)[:length])
}

// Field numbers of envoy.service.discovery.v3.DiscoveryResponse. Its field resources has the same number and type as the field
// resource of a delta Resource, so resource.Content.EncodedAny is valid in both.
const (
	fieldVersionInfo = 1
	fieldTypeURL     = 4
	fieldNonce       = 5
)

// Encode implements encoder.
func (r *sotwResponse) Encode() [][]byte {
	var header []byte
	header = protowire.AppendString(protowire.AppendTag(header, fieldVersionInfo, protowire.BytesType), r.version())
	header = protowire.AppendString(protowire.AppendTag(header, fieldTypeURL, protowire.BytesType), r.kind.URL())
	header = protowire.AppendString(protowire.AppendTag(header, fieldNonce, protowire.BytesType), r.nonce)
	parts := [][]byte{header}
	for _, res := range r.resources {
		parts = append(parts, res.EncodedAny())
	}
	return parts
}
