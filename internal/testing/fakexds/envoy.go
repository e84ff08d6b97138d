package fakexds

import (
	"fmt"
	"maps"
	"slices"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
)

// The types of resources that an Envoy asks for.
const (
	ClusterType   = resource.ClusterType
	EndpointType  = resource.EndpointType
	ListenerType  = resource.ListenerType
	RouteType     = resource.RouteType
	SecretType    = resource.SecretType
	ExtensionType = resource.ExtensionConfigType
)

// typeOrder is the order in which a stream that is opened again asks for what it had.
var typeOrder = []string{ClusterType, EndpointType, SecretType, ListenerType, RouteType, ExtensionType}

// Envoy is a model of an Envoy as far as discovery is concerned. It is not safe for concurrent use.
//
// Clusters warm until they have endpoints, received after the cluster, and secrets; listeners until they have route
// configurations, extension configurations and secrets. What is replaced stays in use until its successor is warm.
type Envoy struct {
	types map[string]*typeState
	// using are the references of the clusters and listeners in use, by type and name.
	using map[string]map[string]references
	// warming are those that wait for what they refer to.
	warming map[string]map[string]*warmingResource
}

type typeState struct {
	asked bool
	// subscribed are the names asked for; nil under a wildcard.
	subscribed map[string]struct{}
	held       map[string]held
}

// held is what the Envoy has of a name.
type held struct {
	// version is empty when the server said that there is no such resource.
	version string
	refs    references
}

type warmingResource struct {
	refs references
	// missing are the names that have not arrived since.
	missing references
}

// NewEnvoy is an Envoy that has just started.
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

// Open gives the first requests of a new stream, with the versions of everything held from an earlier one.
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

// Receive applies a response and gives the requests that answer it: changed subscriptions, then the acknowledgement.
func (e *Envoy) Receive(r *discovery.DeltaDiscoveryResponse) ([]*discovery.DeltaDiscoveryRequest, error) {
	if err := e.take(r); err != nil {
		return nil, err
	}
	ack := &discovery.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()}
	return e.answer(r, ack), nil
}

// Reject refuses the resources of a response; removals take place all the same, as with Envoy.
func (e *Envoy) Reject(r *discovery.DeltaDiscoveryResponse, why string) []*discovery.DeltaDiscoveryRequest {
	return e.answer(r, &discovery.DeltaDiscoveryRequest{
		TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce(), ErrorDetail: &status.Status{Code: 13, Message: why},
	})
}

// take applies the resources of a response.
func (e *Envoy) take(r *discovery.DeltaDiscoveryResponse) error {
	st := e.types[r.GetTypeUrl()]
	if st == nil {
		return fmt.Errorf("a response of type %q was not asked for", r.GetTypeUrl())
	}
	for _, res := range r.GetResources() {
		if _, subscribed := st.subscribed[res.GetName()]; !subscribed && e.using[r.GetTypeUrl()] == nil {
			continue // given up while it was on its way
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

// answer applies the removals of a response and gives the requests that follow from it.
func (e *Envoy) answer(r *discovery.DeltaDiscoveryResponse, ack *discovery.DeltaDiscoveryRequest) []*discovery.DeltaDiscoveryRequest {
	for _, name := range r.GetRemovedResources() {
		e.removed(r.GetTypeUrl(), name)
	}
	e.settle()
	requests := append(e.resubscribe(), ack)
	return append(requests, e.askForListeners()...)
}

// replaced begins the warming of a cluster or listener, and brings the others closer to its end.
func (e *Envoy) replaced(typeURL, name string, refs references) {
	if e.warming[typeURL] != nil {
		e.warming[typeURL][name] = &warmingResource{refs: refs, missing: e.missing(typeURL, refs)}
		return
	}
	e.arrived(typeURL, name)
}

// missing are the references that a cluster or listener waits for. Endpoints must arrive again; what else is held already
// will do.
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

// settle puts what is warm into use.
func (e *Envoy) settle() {
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
