package fakexds

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"
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
// configurations, extension configurations and secrets arrive. A replaced resource stays in use until its successor is warm. While a cluster warms, after the
// first ones, the Envoy sends no request for clusters, and so no acknowledgement.
type Envoy struct {
	types map[string]*typeState
	// using are the references of the clusters and listeners in use, by type and name.
	using map[string]map[string]references
	// warming are the clusters and listeners that wait for their references.
	warming map[string]map[string]*warmingResource
	// users count the clusters and listeners that refer to a name, by type and name. changed are the names whose counts have changed since
	// the last subscription.
	users   map[string]map[string]int
	changed references
	// held are the requests for clusters that wait until all clusters are warm.
	held []*discovery.DeltaDiscoveryRequest
	// draining is true after another Envoy has taken over. inForce are the listeners that were not received too late for that; nil keeps none.
	draining bool
	inForce  map[string]*anypb.Any
	// arrived are the resources of the response that is being processed.
	arrived references
	// decoded has the references of resources by their content; nil keeps none.
	decoded *sync.Map
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
		users:   map[string]map[string]int{},
		changed: references{},
		arrived: references{},
		inForce: map[string]*anypb.Any{},
	}
	for _, t := range typeOrder {
		e.types[t] = &typeState{held: map[string]held{}, subscribed: map[string]struct{}{}}
		e.users[t] = map[string]int{}
	}
	return e
}

// NewEnvoys returns Envoys without resources, which decode equal resources once. They do not keep listeners.
func NewEnvoys(count int) []*Envoy {
	list, decoded := make([]*Envoy, count), &sync.Map{}
	for i := range list {
		list[i] = NewEnvoy()
		list[i].decoded, list[i].inForce = decoded, nil
	}
	return list
}

// Open returns the first requests of a new stream, with the versions of all resources from earlier streams.
func (e *Envoy) Open() []*discovery.DeltaDiscoveryRequest {
	e.types[ClusterType].asked, e.held = true, nil
	var requests []*discovery.DeltaDiscoveryRequest
	for _, t := range typeOrder {
		st := e.types[t]
		if !st.asked {
			continue
		}
		req := &discovery.DeltaDiscoveryRequest{TypeUrl: t, InitialResourceVersions: map[string]string{}}
		req.ResourceNamesSubscribe = slices.Sorted(maps.Keys(st.subscribed))
		if t == ClusterType && len(req.ResourceNamesSubscribe) > 0 {
			req.ResourceNamesSubscribe = append(req.ResourceNamesSubscribe, "*")
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

// Drain makes another Envoy take over the connections. From now on, changed and new listeners are acknowledged and not applied, and removed ones are removed.
func (e *Envoy) Drain() { e.draining = true }

// Listeners returns the listeners that connections are under, by name.
func (e *Envoy) Listeners() map[string]*anypb.Any { return maps.Clone(e.inForce) }

// AskFor returns the request for a cluster that a connection needs, and that the Envoy has neither received nor asked for; nil otherwise.
func (e *Envoy) AskFor(cluster string) []*discovery.DeltaDiscoveryRequest {
	st := e.types[ClusterType]
	_, asked := st.subscribed[cluster]
	if _, held := st.held[cluster]; held || asked {
		return nil
	}
	st.subscribed[cluster] = struct{}{}
	return e.hold([]*discovery.DeltaDiscoveryRequest{{TypeUrl: ClusterType, ResourceNamesSubscribe: []string{cluster}}})
}

// Receive applies a response and returns the requests that follow: changed subscriptions, then the ACK.
func (e *Envoy) Receive(r *discovery.DeltaDiscoveryResponse) ([]*discovery.DeltaDiscoveryRequest, error) {
	if err := e.take(r); err != nil {
		return nil, err
	}
	ack := &discovery.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()}
	return e.answer(r, ack), nil
}

// Reject rejects the resources of a response with a NACK. Its removals are applied, as in Envoy. What waits for the resources waits no longer.
func (e *Envoy) Reject(r *discovery.DeltaDiscoveryResponse, why string) []*discovery.DeltaDiscoveryRequest {
	if e.warming[r.GetTypeUrl()] == nil {
		for _, res := range r.GetResources() {
			e.arrived.add(r.GetTypeUrl(), res.GetName())
		}
	}
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
		refs, err := e.referencesOf(res.GetResource())
		if err != nil {
			return fmt.Errorf("resource %q does not decode: %w", res.GetName(), err)
		}
		st.held[res.GetName()] = held{version: res.GetVersion(), refs: refs}
		if r.GetTypeUrl() == ListenerType {
			if e.draining {
				continue
			}
			if e.inForce != nil {
				e.inForce[res.GetName()] = res.GetResource()
			}
		}
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
	requests := e.hold(append(e.resubscribe(), ack))
	return append(requests, e.askForListeners()...)
}

// hold keeps requests for clusters while one warms, and returns all others. Afterwards it returns those that were kept too.
func (e *Envoy) hold(requests []*discovery.DeltaDiscoveryRequest) []*discovery.DeltaDiscoveryRequest {
	if !e.types[ListenerType].asked || len(e.warming[ClusterType]) == 0 {
		requests, e.held = append(requests, e.held...), nil
		return requests
	}
	return slices.DeleteFunc(requests, func(r *discovery.DeltaDiscoveryRequest) bool {
		if r.GetTypeUrl() == ClusterType {
			e.held = append(e.held, r)
		}
		return r.GetTypeUrl() == ClusterType
	})
}

// replaced starts the warming of a cluster or listener. Of other types it records the arrival, for which resources may wait.
func (e *Envoy) replaced(typeURL, name string, refs references) {
	if e.warming[typeURL] == nil {
		e.arrived.add(typeURL, name)
		return
	}
	if w := e.warming[typeURL][name]; w != nil {
		e.count(w.refs, -1)
	}
	e.count(refs, 1)
	e.warming[typeURL][name] = &warmingResource{refs: refs, missing: e.missing(typeURL, refs)}
}

// count counts a cluster or listener as a user of its references, or no longer.
func (e *Envoy) count(refs references, by int) {
	for t, names := range refs {
		for name := range names {
			e.users[t][name] += by
			e.changed.add(t, name)
		}
	}
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

func (e *Envoy) removed(typeURL, name string) {
	st := e.types[typeURL]
	if e.using[typeURL] != nil {
		e.count(e.using[typeURL][name], -1)
		if w := e.warming[typeURL][name]; w != nil {
			e.count(w.refs, -1)
		}
		delete(st.held, name)
		if typeURL == ListenerType {
			delete(e.inForce, name)
		}
		delete(e.using[typeURL], name)
		delete(e.warming[typeURL], name)
		return
	}
	if _, subscribed := st.subscribed[name]; subscribed {
		st.held[name] = held{}
	}
	e.arrived.add(typeURL, name)
}

// useWarm puts warm resources into use.
func (e *Envoy) useWarm() {
	for t, resources := range e.warming {
		for name, w := range resources {
			waits := false
			for kind, names := range w.missing {
				maps.DeleteFunc(names, func(name string, _ struct{}) bool { return e.arrived.has(kind, name) })
				waits = waits || len(names) > 0
			}
			if !waits {
				e.count(e.using[t][name], -1)
				e.using[t][name] = w.refs
				delete(resources, name)
			}
		}
	}
	clear(e.arrived)
}

// resubscribe returns the requests that subscribe to the references of all clusters and listeners, warm or warming.
func (e *Envoy) resubscribe() []*discovery.DeltaDiscoveryRequest {
	var requests []*discovery.DeltaDiscoveryRequest
	for _, t := range []string{EndpointType, SecretType, RouteType, ExtensionType} {
		st, req := e.types[t], &discovery.DeltaDiscoveryRequest{TypeUrl: t}
		for name := range e.changed[t] {
			_, subscribed := st.subscribed[name]
			switch used := e.users[t][name] > 0; {
			case used && !subscribed:
				req.ResourceNamesSubscribe = append(req.ResourceNamesSubscribe, name)
				st.subscribed[name] = struct{}{}
			case !used && subscribed:
				req.ResourceNamesUnsubscribe = append(req.ResourceNamesUnsubscribe, name)
				delete(st.subscribed, name)
				delete(st.held, name)
			}
		}
		if len(req.ResourceNamesSubscribe)+len(req.ResourceNamesUnsubscribe) == 0 {
			continue
		}
		slices.Sort(req.ResourceNamesSubscribe)
		slices.Sort(req.ResourceNamesUnsubscribe)
		st.asked = true
		requests = append(requests, req)
	}
	clear(e.changed)
	return requests
}

// askForListeners returns the first request for listeners, once the first clusters are warm.
func (e *Envoy) askForListeners() []*discovery.DeltaDiscoveryRequest {
	st := e.types[ListenerType]
	if st.asked || len(e.warming[ClusterType]) > 0 {
		return nil
	}
	st.asked = true
	return []*discovery.DeltaDiscoveryRequest{{TypeUrl: ListenerType}}
}

// Dangling returns the direct and indirect references of listeners in use to missing resources. Requests that use them
// fail.
func (e *Envoy) Dangling() []string {
	var list []string
	clusters := map[string]struct{}{}
	follow := func(from string, refs references) {
		list = append(list, e.absent(from, refs)...)
		maps.Copy(clusters, refs[ClusterType])
	}
	for name, refs := range e.using[ListenerType] {
		follow("listener "+name, refs)
		for routes := range refs[RouteType] {
			follow("route configuration "+routes, e.types[RouteType].held[routes].refs)
		}
	}
	for name := range clusters {
		list = append(list, e.absent("cluster "+name, e.using[ClusterType][name])...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// absent returns the references that are not held; clusters must also be warm.
func (e *Envoy) absent(from string, refs references) []string {
	var list []string
	for t, names := range refs {
		for name := range names {
			_, ok := e.using[ClusterType][name]
			if t != ClusterType {
				ok = e.types[t].held[name].version != ""
			}
			if !ok {
				list = append(list, from+" refers to "+t+" "+name)
			}
		}
	}
	return list
}

// Warming reports whether a resource waits for its references.
func (e *Envoy) Warming() bool {
	return len(e.warming[ClusterType])+len(e.warming[ListenerType]) > 0
}

// Versions returns the versions of all resources, by type and name. The version of a resource that does not exist is empty.
func (e *Envoy) Versions() map[string]map[string]string {
	versions := map[string]map[string]string{}
	for t, st := range e.types {
		versions[t] = map[string]string{}
		for name, h := range st.held {
			versions[t][name] = h.version
		}
	}
	return versions
}
