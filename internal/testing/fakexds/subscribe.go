package fakexds

import (
	"maps"
	"slices"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// resubscribe returns the requests that subscribe to the references of all clusters and listeners, warm or warming.
func (e *Envoy) resubscribe() []*discovery.DeltaDiscoveryRequest {
	var requests []*discovery.DeltaDiscoveryRequest
	for _, t := range []string{EndpointType, SecretType, RouteType, ExtensionType} {
		st, desired := e.types[t], e.desired(t)
		req := &discovery.DeltaDiscoveryRequest{TypeUrl: t}
		for name := range desired {
			if _, ok := st.subscribed[name]; !ok {
				req.ResourceNamesSubscribe = append(req.ResourceNamesSubscribe, name)
			}
		}
		for name := range st.subscribed {
			if _, ok := desired[name]; !ok {
				req.ResourceNamesUnsubscribe = append(req.ResourceNamesUnsubscribe, name)
				delete(st.held, name)
			}
		}
		if len(req.ResourceNamesSubscribe)+len(req.ResourceNamesUnsubscribe) == 0 {
			continue
		}
		slices.Sort(req.ResourceNamesSubscribe)
		slices.Sort(req.ResourceNamesUnsubscribe)
		st.subscribed, st.asked = desired, true
		requests = append(requests, req)
	}
	return requests
}

// desired returns the names of a type that clusters and listeners refer to.
func (e *Envoy) desired(typeURL string) map[string]struct{} {
	names := map[string]struct{}{}
	for _, resources := range e.using {
		for _, refs := range resources {
			maps.Copy(names, refs[typeURL])
		}
	}
	for _, resources := range e.warming {
		for _, w := range resources {
			maps.Copy(names, w.refs[typeURL])
		}
	}
	return names
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
