package fakexds

import (
	"fmt"
	"maps"
	"slices"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
)

// Types of the resources that an Envoy subscribes to.
const (
	ClusterType   = resource.ClusterType
	EndpointType  = resource.EndpointType
	ListenerType  = resource.ListenerType
	RouteType     = resource.RouteType
	SecretType    = resource.SecretType
	ExtensionType = resource.ExtensionConfigType
)

// typeOrder is the order of the first requests of a reopened stream.
var typeOrder = []string{ClusterType, EndpointType, SecretType, ListenerType, RouteType, ExtensionType}

// Envoy is a model of Envoy's xDS client. It is not safe for concurrent use.
//
// Clusters warm until their endpoints, received after the cluster, and their secrets arrive. Listeners warm until their route
// configurations, extension configurations and secrets arrive. A replaced resource stays in use until its successor is warm.
type Envoy struct {
	types map[string]*typeState
	// using are the references of the clusters and listeners in use, by type and name.
	using map[string]map[string]references
	// warming are the clusters and listeners that wait for their references.
	warming map[string]map[string]*warmingResource
}

type typeState struct {
	asked bool
	// subscribed are the requested names; nil for a wildcard subscription.
	subscribed map[string]struct{}
	held       map[string]held
}

// held is the state of one resource name.
type held struct {
	// version is empty if the server reported that the resource does not exist.
	version string
	refs    references
}

type warmingResource struct {
	refs references
	// missing are the references that have not arrived yet.
	missing references
}

// NewEnvoy returns an Envoy without resources.
func NewEnvoy() *Envoy {
	e := &Envoy{
		types:   map[string]*typeState{},
		using:   map[string]map[string]references{ClusterType: {}, ListenerType: {}},
		warming: map[string]map[string]*warmingResource{ClusterType: {}, ListenerType: {}},
	}
	for _, t := range typeOrder {
		e.types[t] = &typeState{held: map[string]held{}, subscribed: map[string]struct{}{}}
	}
	return e
}

// Open returns the first requests of a new stream, with the versions of all resources from earlier streams.
func (e *Envoy) Open() []*discovery.DeltaDiscoveryRequest {
	e.types[ClusterType].asked = true
	var requests []*discovery.DeltaDiscoveryRequest
	for _, t := range typeOrder {
		st := e.types[t]
		if !st.asked {
			continue
		}
		req := &discovery.DeltaDiscoveryRequest{TypeUrl: t, InitialResourceVersions: map[string]string{}}
		if t != ClusterType && t != ListenerType {
			req.ResourceNamesSubscribe = slices.Sorted(maps.Keys(st.subscribed))
		}
		for name, h := range st.held {
			if h.version != "" {
				req.InitialResourceVersions[name] = h.version
			}
		}
		requests = append(requests, req)
	}
	return requests
}

// Receive applies a response and returns the requests that follow: changed subscriptions, then the ACK.
func (e *Envoy) Receive(r *discovery.DeltaDiscoveryResponse) ([]*discovery.DeltaDiscoveryRequest, error) {
	if err := e.take(r); err != nil {
		return nil, err
	}
	ack := &discovery.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()}
	return e.answer(r, ack), nil
}

// Reject rejects the resources of a response with a NACK. Its removals are applied, as in Envoy.
func (e *Envoy) Reject(r *discovery.DeltaDiscoveryResponse, why string) []*discovery.DeltaDiscoveryRequest {
	return e.answer(r, &discovery.DeltaDiscoveryRequest{
		TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce(), ErrorDetail: &status.Status{Code: 13, Message: why},
	})
}

// take applies the resources of a response.
func (e *Envoy) take(r *discovery.DeltaDiscoveryResponse) error {
	st := e.types[r.GetTypeUrl()]
	if st == nil {
		return fmt.Errorf("unexpected response of type %q", r.GetTypeUrl())
	}
	for _, res := range r.GetResources() {
		if _, subscribed := st.subscribed[res.GetName()]; !subscribed && e.using[r.GetTypeUrl()] == nil {
			continue // unsubscribed while it was in flight
		}
		refs, err := referencesOf(res.GetResource())
		if err != nil {
			return fmt.Errorf("resource %q does not decode: %w", res.GetName(), err)
		}
		st.held[res.GetName()] = held{version: res.GetVersion(), refs: refs}
		e.replaced(r.GetTypeUrl(), res.GetName(), refs)
	}
	return nil
}

// answer applies the removals of a response and returns the requests that follow.
func (e *Envoy) answer(r *discovery.DeltaDiscoveryResponse, ack *discovery.DeltaDiscoveryRequest) []*discovery.DeltaDiscoveryRequest {
	for _, name := range r.GetRemovedResources() {
		e.removed(r.GetTypeUrl(), name)
	}
	e.useWarm()
	requests := append(e.resubscribe(), ack)
	return append(requests, e.askForListeners()...)
}

// replaced starts the warming of a cluster or listener, and updates the warming of others.
func (e *Envoy) replaced(typeURL, name string, refs references) {
	if e.warming[typeURL] != nil {
		e.warming[typeURL][name] = &warmingResource{refs: refs, missing: e.missing(typeURL, refs)}
		return
	}
	e.arrived(typeURL, name)
}

// missing returns the references that a cluster or listener waits for. Endpoints must arrive again; other resources may be
// held already.
func (e *Envoy) missing(typeURL string, refs references) references {
	missing := references{}
	for t, names := range refs {
		if t == ClusterType {
			continue
		}
		for name := range names {
			if _, ok := e.types[t].held[name]; !ok || (typeURL == ClusterType && t == EndpointType) {
				missing.add(t, name)
			}
		}
	}
	return missing
}

func (e *Envoy) arrived(typeURL, name string) {
	for _, resources := range e.warming {
		for _, w := range resources {
			delete(w.missing[typeURL], name)
		}
	}
}

func (e *Envoy) removed(typeURL, name string) {
	st := e.types[typeURL]
	if e.using[typeURL] != nil {
		delete(st.held, name)
		delete(e.using[typeURL], name)
		delete(e.warming[typeURL], name)
		return
	}
	if _, subscribed := st.subscribed[name]; subscribed {
		st.held[name] = held{}
	}
	e.arrived(typeURL, name)
}

// useWarm puts warm resources into use.
func (e *Envoy) useWarm() {
	for t, resources := range e.warming {
		for name, w := range resources {
			waits := false
			for _, names := range w.missing {
				waits = waits || len(names) > 0
			}
			if !waits {
				e.using[t][name] = w.refs
				delete(resources, name)
			}
		}
	}
}
